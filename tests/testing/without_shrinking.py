"""Loaded into the pytest that runs wrong adapters: that an example fails is enough, it need not be the smallest."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("without_shrinking", phases=[Phase.explicit, Phase.generate], database=None)
settings.load_profile("without_shrinking")
