"""Sphinx configuration; `make docs` builds the pages."""

from pathlib import Path

from sphinx.util.docutils import SphinxDirective

from mmdsr import __version__
from mmdsr.doctor.lane import HOSTS, read_lane

ROOT = Path(__file__).resolve().parents[1]

project = 'mmdsr'
author = 'The mmdsr authors'
copyright = '2026, the mmdsr authors'
version = release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
exclude_patterns = ['_build']
templates_path = ['_templates']
html_theme = 'furo'
html_title = f'mmdsr {__version__}'
html_static_path = ['_static']

myst_enable_extensions = [
    'colon_fence',
    'deflist',
    'dollarmath',
    'substitution',
]
myst_substitutions = {'version': __version__}
myst_heading_anchors = 3
copybutton_exclude = '.linenos, .gp, .go'

autosummary_generate = True
autodoc_typehints = 'description'  # the docstrings name shapes and ranges
autodoc_typehints_description_target = 'documented'
autodoc_member_order = 'bysource'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # NamedTuple fields are members already


class LaneTable(SphinxDirective):
    """The version table, from ``requirements/constraints.txt``."""

    def run(self):
        """Return the table's nodes."""
        path = ROOT / 'requirements/constraints.txt'
        self.env.note_dependency(str(path))
        lane = read_lane(path.parent)
        rows = ['| package | version | needed for |', '| --- | --- | --- |']
        for name, spec in lane.specs.items():
            parts = [part for part in HOSTS if name in lane.needs[part]]
            used = ', '.join(parts) if parts else 'development'
            version = str(spec).removeprefix('==')
            rows.append(f'| {name} | {version} | {used} |')
        return self.parse_text_to_nodes('\n'.join(rows))


def setup(app):
    """Register the directive."""
    app.add_directive('lane-table', LaneTable)
    return {'parallel_read_safe': True}
