"""Tests about the project itself: its folders, its packages, its set-up."""
