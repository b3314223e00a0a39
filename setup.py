"""Packaging of mmdsr; the version lane is in requirements/constraints.txt.

``mim`` looks for configs and tools in ``mmdsr/.mim``. A wheel gets copies, an
editable install gets links, so that an edited config is found at once.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
MIM_ITEMS = ('configs', 'tools', 'requirements', 'model-index.yml')


def read_version() -> str:
    """Return the version without importing the package."""
    scope = {}
    exec((ROOT / 'mmdsr/version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def read_requirements(name: str) -> list[str]:
    """Return the requirement lines of ``requirements/NAME.txt``."""
    path = ROOT / 'requirements' / f'{name}.txt'
    lines = path.read_text(encoding='utf-8').splitlines()
    lines = (line.split('#')[0].strip() for line in lines)
    return [line for line in lines if line]


def read_extras() -> dict[str, list[str]]:
    """Return the extras; ``all`` holds those of users, not tests and docs."""
    names = (
        'video',
        'serve',
        'depth',
        'peers',
        'imagenet',
        'coco',
        'onnx',
        'openvino',
        'int8',
        'slurm',
        'train',
        'seg',
        'det',
        'cls',
    )
    extras = {name: read_requirements(name) for name in names}
    extras['all'] = sorted({line for part in extras.values() for line in part})
    extras['tests'] = read_requirements('tests')
    extras['docs'] = read_requirements('docs')
    return extras


def remove(path: Path) -> None:
    """Remove a link, a file or a folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def copy_mim(target: Path) -> None:
    """Copy what ``mim`` needs to the folder ``target``."""
    for item in MIM_ITEMS:
        source, copy = ROOT / item, target / item
        remove(copy)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignore = shutil.ignore_patterns('__pycache__', '*.pyc')
            shutil.copytree(source, copy, ignore=ignore)
        else:
            shutil.copy2(source, copy)


def link_mim() -> None:
    """Link what ``mim`` needs into the source tree; copy if links fail."""
    target = ROOT / 'mmdsr/.mim'
    target.mkdir(exist_ok=True)
    try:
        for item in MIM_ITEMS:
            remove(target / item)
            (target / item).symlink_to(Path('..', '..', item))
    except OSError:  # Windows without the right to make links
        copy_mim(target)


class BuildPy(build_py):
    """``build_py`` that adds ``.mim``; editable installs (PEP 660) too."""

    def run(self) -> None:
        """Build, then add ``.mim``."""
        super().run()
        if getattr(self, 'editable_mode', False):
            link_mim()
        else:
            copy_mim(Path(self.build_lib) / 'mmdsr/.mim')


class EditableWheel(editable_wheel):
    """``editable_wheel`` whose metadata leads ``mim`` to the source tree.

    mim and mmengine join site-packages with the first line of
    ``top_level.txt``. An editable install (PEP 660) has no folder there, but
    an absolute path as that line leads them to the right one. The name
    follows, for all who want to know that.
    """

    def run(self) -> None:
        """Write the source folder into the metadata, then build."""
        if self.dist_info_dir is None:
            Path(self.dist_dir).mkdir(exist_ok=True)
            command = self.reinitialize_command('dist_info')
            command.output_dir = self.dist_dir
            command.ensure_finalized()
            command.run()
            self.dist_info_dir = command.dist_info_dir
        names = Path(self.dist_info_dir) / 'top_level.txt'
        names.write_text(f'{ROOT / "mmdsr"}\nmmdsr\n', encoding='utf-8')
        super().run()


class Develop(develop):
    """``setup.py develop``, the older editable install, with ``.mim``."""

    def run(self) -> None:
        """Link ``.mim``, then install."""
        link_mim()
        super().run()


setup(
    name='mmdsr',
    version=read_version(),
    description='Depth-aware, reference-based super-resolution for sewer '
    'images, with the OpenMMLab toolboxes',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The mmdsr authors',
    license='Apache-2.0',
    keywords='super-resolution, reference-based, depth, sewer, OpenMMLab',
    classifiers=[
        'Development Status :: 4 - Beta',
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Image Processing',
    ],
    packages=find_packages(include=['mmdsr', 'mmdsr.*']),
    package_data={
        'mmdsr': ['py.typed'],
        'mmdsr.page': ['static/*'],
        'mmdsr.samples': ['*.png', '*.jpg', '*.mp4'],
        'mmdsr.weights': ['index.json', '*.csv', '*.safetensors', '*.pth'],
    },
    entry_points={'console_scripts': ['mmdsr = mmdsr.cli.main:main']},
    python_requires='>=3.10,<3.14',
    install_requires=read_requirements('runtime'),
    extras_require=read_extras(),
    cmdclass={
        'build_py': BuildPy,
        'editable_wheel': EditableWheel,
        'develop': Develop,
    },
    include_package_data=False,
    zip_safe=False,
)
