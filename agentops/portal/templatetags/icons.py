"""heroicons' tags, each icon drawn once: a page has dozens, and drawing one anew takes as long as a small query."""

from __future__ import annotations

import functools

from django import template
from heroicons.templatetags import heroicons

register = template.Library()
_MOST = 1_024  # name, size and attributes are the templates' own: some hundreds

for _tag in (heroicons.heroicon_micro, heroicons.heroicon_mini, heroicons.heroicon_outline, heroicons.heroicon_solid):
    register.simple_tag(functools.lru_cache(maxsize=_MOST)(_tag), name=_tag.__name__)
