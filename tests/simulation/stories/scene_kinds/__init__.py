"""Scenes, by kind; `scenes.py` draws one of them."""
