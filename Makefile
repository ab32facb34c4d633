# `make check` is everything: what a person, the pre-commit hook and CI run.
BIN := .venv/bin

# Without compiled modules each run of the tests would take 1.5 s more to begin.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check programs format lint types imports test fast docs pictures man clean

check: programs .venv/installed lint types imports test

# What pip cannot bring. Installed from the system's packages, or one line says what to install.
programs:
	@tests/install-programs

# The environment of this checkout, at the versions that constraints.txt names.
.venv/installed: pyproject.toml constraints.txt
	@tests/install-programs python3
	python3 -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 -c constraints.txt -e '.[test,postgres]'
	touch $@

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed
	$(BIN)/mypy

imports: .venv/installed
	$(BIN)/lint-imports

test: programs .venv/installed
	tests/with-mounts $(BIN)/python -m pytest -n 2

# The domain and the use cases without their laws: in four seconds. What no test here uses is not loaded: plugins that
# are installed, pytest's own for logs and subtests, and fixtures that start something.
NOT_IN_FAST := logging subtests $(addprefix tests.fixtures.,chromium command_line packages postgresql s3_servers)
fast: .venv/installed
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 tests/with-mounts $(BIN)/python -m pytest -q $(NOT_IN_FAST:%=-p no:%) -p tests.fixtures.forked_workers tests/domain tests/usecases

# The documentation site; a warning is an error. The tests build it as well.
docs: .venv/installed
	$(BIN)/python docs/build_site.py docs/_build

# The pictures of terminals in the documentation, from real runs.
pictures: programs .venv/installed
	$(BIN)/python docs/site/pictures.py docs/pictures

# The manual page, from the commands. The tests say when it is not up to date.
man: .venv/installed
	$(BIN)/python docs/build_man_page.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist docs/_build
