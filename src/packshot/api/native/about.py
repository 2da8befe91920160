"""What GET /v1/about says, made once: it changes with the release and the settings, not with a request."""

from __future__ import annotations

from packshot import __version__
from packshot.api.native.models import About, Inputs, OptionFacts, PresetFacts
from packshot.core.codecs import READABLE
from packshot.core.options import OPTIONS
from packshot.engine.presets import find_preset, preset_names
from packshot.service.build import Service, native_limits


def about(service: Service) -> About:
    """The service's version, network, limits, options and presets."""
    limits = native_limits(service.settings)
    return About(
        version=__version__,
        model=service.network.card.name,
        inputs=Inputs(
            formats=sorted(limits.formats & READABLE),
            max_bytes=service.settings.v1_max_file_bytes,
            max_pixels=limits.max_pixels,
            min_side_px=limits.min_side_px,
        ),
        options=[
            OptionFacts(
                name=name,
                about=option.about,
                accepts=option.accepts,
                kind=option.kind,
                choices=list(preset_names() if name == "preset" else option.choices),
                examples=list(option.examples),
            )
            for name, option in OPTIONS.items()
        ],
        presets=[PresetFacts.of(find_preset(name)) for name in preset_names()],
    )
