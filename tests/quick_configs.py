"""Configs that are written many times are formatted once."""

from functools import cache

from mmengine.config import config


def format_configs_once():
    """Remember the texts of yapf, which takes a second for a config.

    A training of one step asks for the same text eight times: for its logs,
    its backends and its checkpoints.
    """
    plain = config.FormatCode
    if hasattr(plain, 'cache_info'):
        return

    @cache
    def formatted(text, style, options):
        return plain(text, style_config=dict(style), **dict(options))

    def quick(text, style_config, **options):
        return formatted(
            text, tuple(style_config.items()), tuple(options.items())
        )

    quick.cache_info = formatted.cache_info
    config.FormatCode = quick
