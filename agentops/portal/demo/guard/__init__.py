"""Agents of the demo that ask the guard before they act: their manifests, and what they get up to."""
