"""Every config builds in its own scope and trains a step."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope

from mmdsr.datasets.alignment_cache import Alignments
from mmdsr.engine import launch
from mmdsr.io.checkpoint import save_weights
from mmdsr.io.flow_values import write_flow
from mmdsr.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
FILES = sorted(
    path
    for path in CONFIGS.rglob('*.py')
    if not {'_base_', 'downstream'} & set(path.parts)
)
SMALL = dict(
    channels=8, encoder_blocks=(1, 1, 1), decoder_blocks=(1, 1, 1, 1, 1, 1)
)
SMALL_PEERS = {
    'mmdsr.EDSR': dict(channels=8, num_blocks=1),
    'mmdsr.MDSR': dict(channels=8, num_blocks=1),
    'mmdsr.DBPN': dict(first_channels=8, channels=4, stages=2),
    'mmdsr.RCAN': dict(channels=8, num_groups=1, num_blocks=1, reduction=4),
    'mmdsr.ATD': dict(channels=24, depths=(1, 1), window_size=8),
}
SMALL_FLOW = dict(channels=(4, 8), widths=(8, 8), radii=(1, 1), repeats=(1, 1))


def _names_in(text, folder):
    """Return the configs that a text names, below a folder."""
    paths = set()
    for line in text.splitlines():
        below = folder
        for name in re.findall(r'`([\w./*-]+\.py)`', line):
            here = folder if '/' in name else below
            found = [path.resolve() for path in here.glob(name)]
            # The rest of a line is about the same folder.
            below = found[0].parent if found else below
            paths.update(found)
    return paths


def test_every_config_is_in_the_table():
    text = (CONFIGS.parent / 'docs/configs.md').read_text(encoding='utf-8')
    table = text.split('## Where each value')[0]
    every = {
        path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts
    }
    assert every - _names_in(table, CONFIGS) == set()


@pytest.mark.parametrize('folder', ['dsrnet', 'dsrnet_x', 'distill'])
def test_every_config_is_in_the_readme_of_its_folder(folder):
    place = CONFIGS / folder
    text = (place / 'README.md').read_text(encoding='utf-8')
    assert set(place.rglob('*.py')) - _names_in(text, place) == set()


def _name(path):
    return str(path.relative_to(CONFIGS))


def _load(path, root=None):
    cfg = Config.fromfile(path)
    if cfg.model.get('perceptual_loss'):
        # Those of the paper's size promise its loss.
        untrained = cfg.model.perceptual_loss.get('untrained', False)
        assert untrained == ('quick' in path.stem)
        wanted = None if untrained else 'torchvision'
        assert cfg.model.perceptual_loss.weights == wanted
        cfg.model.perceptual_loss.weights = None
        cfg.model.perceptual_loss.untrained = True
    if root is not None:
        for key in ('train', 'val', 'test'):
            loader = cfg[f'{key}_dataloader']
            loader.num_workers = 0
            loader.persistent_workers = False
            dataset = loader.dataset
            # A mixture takes the same data set several times.
            for part in dataset.get('datasets', [dataset]):
                part.data_root = str(root)
                part.max_samples = 1
    return cfg


def _shrink(cfg):
    """Make the networks, and crops of them, small."""
    generator = cfg.model.generator
    if generator.type == 'mmdsr.FlowNet':
        generator.update(SMALL_FLOW)
    elif generator.type == 'mmdsr.DepthUNet':
        generator.update(base_channels=8)
    elif generator.type in SMALL_PEERS:
        generator.update(SMALL_PEERS[generator.type])
    elif generator.type == 'mmdsr.SelfEnsemble':
        generator.network.update(SMALL_PEERS[generator.network.type])
    elif generator.type == 'mmdsr.DSRNetX':
        generator.update(channels=8, num_blocks=3)
        if (generator.aligner or {}).get('type') == 'mmdsr.FlowNet':
            generator.aligner.update(SMALL_FLOW)
    else:
        generator.update(SMALL)
    if generator.get('depth_net'):
        generator.depth_net.base_channels = 8
    for step in cfg.train_dataloader.dataset.get('pipeline', ()):
        if step['type'] == 'mmdsr.PairedRefCrop':
            step['lr_size'] = [min(side, 32) for side in step['lr_size']]


def _give_alignment(cfg, folder, root):
    """Put an untrained aligner, and DIS's flow, where they are wanted."""
    if cfg.model.get('aligner_checkpoint'):
        path = folder / 'aligner.pth'
        aligner = MODELS.build(cfg.model.generator.aligner)
        save_weights(aligner.state_dict(), path)
        cfg.model.aligner_checkpoint = str(path)
    for step in cfg.train_dataloader.dataset.get('pipeline', ()):
        if step['type'] == 'mmdsr.LoadAlignment':
            step['name'] = 'dis'
            aligner = MODELS.build(dict(type='mmdsr.DISAligner'))
            list(Alignments(aligner, root, 'train', 'dis'))


def _with_flow(root, copy):
    """Copy the tiny data set and say where its references are moved to."""
    shutil.copytree(root, copy)
    flow = np.zeros((48, 64, 2))
    flow[..., 0] = 2
    visible = np.ones((48, 64), bool)
    visible[:, -2:] = False
    for path in copy.glob('*/lr/*.png'):
        write_flow(path.parents[1] / 'flow' / path.name, flow, visible)
    return copy


def _give_teacher(cfg, folder):
    """Put an untrained teacher where the config wants a trained one."""
    if cfg.model.get('kd_loss') or cfg.model.get('adm'):
        path = folder / 'teacher.pth'
        save_weights(MODELS.build(cfg.model.teacher).state_dict(), path)
        cfg.model.teacher_checkpoint = str(path)


def test_there_are_configs():
    names = {_name(path) for path in FILES}
    assert {
        'dsrnet/teacher.py',
        'dsrnet/teacher_plus.py',
        'dsrnet/teacher_quick.py',
        'dsrnet/teacher_plus_match.py',
        'dsrnet/teacher_plus_match_quick.py',
        'dsrnet/student.py',
        'dsrnet/student_quick.py',
        'distill/dsrnet-d.py',
        'distill/dsrnet-d_quick.py',
        'dsrnet/teacher_60k.py',
        'dsrnet/student_60k.py',
        'distill/dsrnet-d_60k.py',
        'distill/fakd.py',
        'baselines/masa_sr.py',
        'baselines/masa_rec.py',
        *(
            f'baselines/{name}{size}.py'
            for name in ('edsr', 'mdsr', 'dbpn', 'rcan', 'rcan_plus')
            for size in ('', '_quick')
        ),
        'baselines/atd.py',
        'baselines/atd_light_quick.py',
        'dsrnet_x/x.py',
        'dsrnet_x/x_light.py',
        'dsrnet_x/x_nano.py',
        'dsrnet_x/trunk.py',
        'dsrnet_x/flownet.py',
        'dsrnet_x/flownet_light.py',
        'dsrnet_x/flownet_light_depth.py',
        'dsrnet/depth_unet.py',
    } <= names
    assert len([name for name in names if 'table10_row' in name]) == 3
    assert len([name for name in names if 'table11_row' in name]) == 4


@pytest.mark.parametrize('path', FILES, ids=_name)
def test_model_builds_at_full_size(path, tmp_path):
    cfg = _load(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        init_default_scope(cfg.default_scope)
        _give_teacher(cfg, tmp_path)
        model = MODELS.build(cfg.model)
    if cfg.model.type not in ('mmdsr.FlowEditor', 'mmdsr.DepthEditor'):
        assert model.generator.scale == 4
    count = sum(p.numel() for p in model.generator.parameters())
    if path.name == 'trunk_nano.py':
        assert count == 42_336
    else:
        assert count > 5e4


@pytest.mark.slow
@pytest.mark.parametrize('path', FILES, ids=_name)
def test_trains_and_validates(path, tmp_path, refsr_root):
    if 'flownet' in path.stem or 'match' in path.stem:
        refsr_root = _with_flow(refsr_root, tmp_path / 'data')
    cfg = _load(path, refsr_root)
    _shrink(cfg)
    _give_alignment(cfg, tmp_path, refsr_root)
    if cfg.model.get('teacher'):
        cfg.model.teacher.update(SMALL)
        cfg.model.teacher.depth_net.base_channels = 8
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            _give_teacher(cfg, tmp_path)
    if cfg.model.get('discriminator'):
        cfg.model.discriminator.base_channels = 16
        # All terms of Eq. 15 in the one step.
        cfg.model.train_cfg.pixel_init = 0
    if cfg.train_cfg.type == 'IterBasedTrainLoop':
        cfg.train_cfg.update(max_iters=1, val_interval=1)
    else:
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    cfg.work_dir = str(tmp_path)
    cfg.launcher = 'none'
    cfg.experiment_name = tmp_path.name

    model = launch.train(cfg)

    # What of an editor of a part alone says how good it is.
    parts = {'mmdsr.FlowEditor': 'Match@1', 'mmdsr.DepthEditor': 'AbsRel'}
    flow = cfg.model.type == 'mmdsr.FlowEditor'
    wanted = parts.get(cfg.model.type, 'PSNR-Y')
    (best,) = tmp_path.glob(f'best_{wanted}_*.pth')
    strips = list(tmp_path.glob('vis_strips/*/test*.png'))
    assert len(strips) == (cfg.model.type not in parts)
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    logged = scalars.read_text()
    terms = {'loss_flow', 'loss_support'} if flow else {'loss_rec'}
    if cfg.model.type == 'mmdsr.DepthEditor':
        terms = set()
    if cfg.model.get('depth_loss'):
        terms.add('loss_dep')
    if cfg.model.get('match_loss'):
        terms.add('loss_match')
        assert '"Match@1"' in logged
    if cfg.model.get('discriminator'):
        terms |= {'loss_per', 'loss_adv', 'loss_disc'}
    if cfg.model.get('kd_loss'):
        terms.add('loss_kd')
    if cfg.model.get('adm'):
        terms.add('loss_ad')
    names = ['rec', 'dep', 'match', 'per', 'adv', 'disc', 'kd', 'ad']
    for name in [*names, 'flow', 'support']:
        assert (f'"loss_{name}"' in logged) == (f'loss_{name}' in terms)
    assert list(tmp_path.glob('*/vis_data/events.out.tfevents.*'))
    # The checkpoint fits the config, as tools/test.py and others need it.
    launch.load_generator(model.generator, best)


def test_paper_settings():
    """Section 5.1 and Table 1, as far as the paper fixes them."""
    teacher = Config.fromfile(CONFIGS / 'dsrnet/teacher.py')
    student = Config.fromfile(CONFIGS / 'dsrnet/student.py')
    assert tuple(teacher.model.generator.encoder_blocks) == (4, 4, 4)
    assert tuple(student.model.generator.encoder_blocks) == (2, 2, 2)
    for cfg in (teacher, student):
        optim = cfg.optim_wrapper
        optimizer = optim.get('generator', optim).optimizer
        assert (optimizer.type, optimizer.lr) == ('Adam', 2e-4)
        assert cfg.train_cfg.max_epochs == 250
        assert cfg.param_scheduler.type == 'CosineAnnealingLR'
        assert cfg.param_scheduler.T_max == 250
        assert cfg.train_dataloader.batch_size == 1
    plus = Config.fromfile(CONFIGS / 'dsrnet/teacher_plus.py')
    assert plus.model.type == 'mmdsr.DSR'
    assert plus.model.generator == teacher.model.generator


def test_distillation_settings():
    """Section 5.1 and Table 11."""

    def load(name):
        return Config.fromfile(CONFIGS / f'{name}.py')

    cfg = load('distill/dsrnet-d')
    student, teacher = load('dsrnet/student'), load('dsrnet/teacher_plus')
    assert cfg.model.generator == student.model.generator
    assert cfg.model.teacher == teacher.model.generator
    weights = {
        name: cfg.model[name].loss_weight
        for name in ('pixel_loss', 'kd_loss', 'adm', 'depth_loss')
    }
    # lambda_dep is not in the paper.
    assert weights == dict(pixel_loss=1, kd_loss=0.5, adm=0.1, depth_loss=0.01)
    for key in ('optim_wrapper', 'train_cfg', 'param_scheduler'):
        assert cfg[key] == student[key]
    rows = [
        load(f'distill/table11_row{number}_{name}').model
        for number, name in enumerate(
            ('rec', 'rec_kd', 'rec_ad', 'rec_kd_ad'), 1
        )
    ]
    assert [(bool(r.kd_loss), bool(r.adm)) for r in rows] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]
    assert rows[3] == cfg.model
    fakd = load('distill/fakd').model
    assert dict(fakd, adm=None) == dict(cfg.model, adm=None)
    assert fakd.adm.type == 'mmdsr.FAKD'

    quick = load('distill/dsrnet-d_quick')
    for name in ('kd_loss', 'adm', 'feature_level'):
        assert quick.model[name] == cfg.model[name]
    assert quick.model.teacher == load('dsrnet/teacher_quick').model.generator


def test_match_settings():
    """Nothing but the match and what it needs differs from the paper's."""
    for name, base in (
        ('teacher_plus_match', 'teacher_plus'),
        ('teacher_plus_match_quick', 'teacher_quick'),
    ):
        cfg, other = (
            Config.fromfile(CONFIGS / f'dsrnet/{file}.py')
            for file in (name, base)
        )
        assert cfg.model.pop('match_loss').type == 'mmdsr.MatchLoss'
        for key in ('model', 'optim_wrapper', 'train_cfg', 'param_scheduler'):
            assert cfg[key] == other[key]
        assert cfg.train_dataloader.batch_size == (
            other.train_dataloader.batch_size
        )


def test_paper_networks_by_the_recipe_of_dsrnet_x():
    """The networks are those of the quick configs, the training is x.py's."""
    recipe = Config.fromfile(CONFIGS / 'dsrnet_x/x.py')
    for name in ('dsrnet/teacher', 'dsrnet/student', 'distill/dsrnet-d'):
        cfg = Config.fromfile(CONFIGS / f'{name}_60k.py')
        quick = Config.fromfile(CONFIGS / f'{name}_quick.py')
        assert cfg.model.generator == quick.model.generator
        assert cfg.model.get('teacher') == quick.model.get('teacher')
        assert cfg.model.get('kd_loss') == quick.model.get('kd_loss')
        for key in (
            'optim_wrapper',
            'train_cfg',
            'param_scheduler',
            'custom_hooks',
            'default_hooks',
            'val_evaluator',
        ):
            assert cfg[key] == recipe[key], key
        for loader in (cfg.train_dataloader, recipe.train_dataloader):
            loader.dataset.pop('pipeline', None)
        assert cfg.train_dataloader == recipe.train_dataloader


def test_quick_scheduler_ends_with_the_run():
    cfg = Config.fromfile(CONFIGS / 'dsrnet/teacher_quick.py')
    last = cfg.param_scheduler[-1]
    assert last.end == cfg.train_cfg.max_iters
    assert last.begin + last.T_max == cfg.train_cfg.max_iters
    assert torch.tensor(last.eta_min) < cfg.optim_wrapper.optimizer.lr / 10
