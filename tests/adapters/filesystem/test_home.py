"""`~` at the start of a path that a setting gives."""

from __future__ import annotations

import pytest

from bakthat.adapters.filesystem.home import expand_home
from bakthat.errors import ConfigInvalid


def nobody() -> str:
    raise KeyError("getpwuid(): uid not found: 12345")


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("~", "/home/me"),
        ("~/", "/home/me/"),
        ("~/.bakthat/store", "/home/me/.bakthat/store"),
        ("/srv/~", "/srv/~"),
        ("store/~/x", "store/~/x"),
        ("./~", "./~"),
        ("", ""),
        ("~root/x", "/root/x"),
    ],
)
def test_a_tilde_at_the_start_is_the_home_directory(path: str, whole: str) -> None:
    assert expand_home(path, "local_path", environment={"HOME": "/home/me"}, listed=nobody) == whole


@pytest.mark.parametrize("home", [None, "", "home", "./home", "~"])
def test_without_a_whole_path_in_home_the_list_of_users_is_asked(home: str | None) -> None:
    environment = {} if home is None else {"HOME": home}
    assert expand_home("~/x", "local_path", environment=environment, listed=lambda: "/home/listed") == "/home/listed/x"


def test_the_root_may_be_a_home_directory() -> None:
    assert expand_home("~/x", "local_path", environment={"HOME": "/"}, listed=nobody) == "/x"
    assert expand_home("~", "local_path", environment={"HOME": "/"}, listed=nobody) == "/"


@pytest.mark.parametrize("listed", [nobody, lambda: "", lambda: "home"])
def test_no_home_directory_is_an_error_that_names_the_setting(listed) -> None:
    with pytest.raises(ConfigInvalid, match="^local_path: there is no home directory for '~/x' .*set HOME, or give it"):
        expand_home("~/x", "local_path", environment={}, listed=listed)


def test_a_user_who_is_not_there_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(ConfigInvalid, match="database: '~nobody-like-it/x' .* user 'nobody-like-it'"):
        expand_home("~nobody-like-it/x", "database", environment={"HOME": "/home/me"})
