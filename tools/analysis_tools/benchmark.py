"""Time a config's network part by part, with its memory and throughput."""

import argparse
import sys
from contextlib import nullcontext

import torch
from rich.console import Console
from rich.table import Table

from mmdsr.analysis import benchmark
from mmdsr.analysis.flops import cost_parts, count_cost, example_inputs
from mmdsr.engine.launch import UsageError, load_config
from mmdsr.engine.options import add_options_argument
from mmdsr.models.networks import DRIMM
from mmdsr.registry import MODELS

DTYPES = dict(fp16=torch.float16, bf16=torch.bfloat16)


def parse_args(argv=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config with a model.generator')
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        default=(80, 112),
        metavar=('H', 'W'),
        help='size of LR; Ref is four times larger (default: 80 112)',
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, help='CPU threads')
    parser.add_argument(
        '--train', action='store_true', help='time a training step too'
    )
    parser.add_argument('--amp', choices=DTYPES, help='autocast to this type')
    parser.add_argument(
        '--compile',
        action='store_true',
        help='time the network under torch.compile, as a whole',
    )
    parser.add_argument(
        '--matching',
        action='store_true',
        help='compare matching with the literal, unfolding version',
    )
    add_options_argument(parser)
    args = parser.parse_args(argv)
    if args.repeats < 1 or min(args.shape) < 16:
        parser.error('--repeats must be >= 1 and --shape at least 16 16')
    return args


def row(table, name, seconds, total):
    """Add a line with seconds and share."""
    table.add_row(name, f'{seconds:.3f}', f'{100 * seconds / total:.1f} %')


def forward_table(args, net, inputs, autocast):
    """Time the forward pass and return its table."""
    device = inputs[0].device
    height, width = args.shape
    table = Table(title=f'Forward, LR {height}x{width}, batch 1')
    for column in ('part', 'seconds', 'share'):
        table.add_column(column, justify='left' if not table.columns
                         else 'right')  # fmt: skip
    with autocast:
        with benchmark.peak_memory(device) as memory, torch.inference_mode():
            net(*inputs)
        if args.compile:
            compiled = torch.compile(net)
            with torch.inference_mode():
                total = benchmark.median_time(
                    lambda: compiled(*inputs), device, args.repeats
                )
            seconds = {}
        else:
            seconds = benchmark.time_parts(net, inputs, args.repeats)
            total = seconds.pop('total')
    for name, spent in seconds.items():
        row(table, name, spent, total)
    table.add_section()
    row(table, 'total', total, total)
    gmacs = sum(count_cost(net, inputs).values()) / 1e9
    table.caption = (
        f'{1 / total:.2f} frames/s, {2 * gmacs / total:.0f} GFLOP/s of '
        f'{2 * gmacs:.0f} GFLOP, peak memory {memory["peak"]:.0f} MB '
        f'({memory["before"]:.0f} MB before)'
    )
    return table


def main(argv=None):
    """Run the tool."""
    args = parse_args(argv)
    console = Console()
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        cfg = load_config(args.config, args.cfg_options)
        device = torch.device(args.device)
        net = MODELS.build(cfg.model.generator).to(device).eval()
        inputs = example_inputs(net, *args.shape, device=device)
    except (UsageError, FileNotFoundError, ValueError, RuntimeError) as error:
        print(f'benchmark.py: error: {error}', file=sys.stderr)
        sys.exit(2)
    autocast = (
        torch.autocast(device.type, DTYPES[args.amp])
        if args.amp
        else nullcontext()
    )
    height, width = args.shape
    rates = benchmark.conv_ceiling(4 * height, 4 * width, device, args.repeats)
    console.print(
        f'{torch.__version__}, {device}, {torch.get_num_threads()} threads, '
        f'{args.amp or "fp32"}; 64-to-64 3x3 convolution at '
        f'{4 * height}x{4 * width}: '
        + ', '.join(f'{v:.0f} GFLOP/s {k}' for k, v in rates.items())
    )
    drimm = next(m for m in net.modules() if isinstance(m, DRIMM))
    if args.matching:
        channels = cost_parts(net)['encoder'].stages[0].conv.out_channels
        result = benchmark.compare_matching(
            drimm,
            *(-(-side // net.lr_multiple) * net.lr_multiple
              for side in args.shape),
            channels, device, args.repeats,
        )  # fmt: skip
        for name, line in result.items():
            console.print(
                f'matching, {name}: {line["seconds"]:.3f} s, '
                f'{line["added"]:.0f} MB at the peak'
            )
        ratio = result['drimm']['seconds'] / result['unfold']['seconds']
        console.print(
            f'drimm takes {ratio:.2f} of the time; largest difference '
            f'{result["drimm"]["difference"]:.1e}'
        )
    console.print(forward_table(args, net, inputs, autocast))
    if args.train:
        net = MODELS.build(cfg.model.generator).to(device).train()
        step = benchmark.training_step(net, inputs)
        with autocast:
            with benchmark.peak_memory(device) as memory:
                step()
            seconds = benchmark.median_time(step, device, args.repeats)
        console.print(
            f'training step (L1, Adam): {seconds:.3f} s, peak memory '
            f'{memory["peak"]:.0f} MB ({memory["before"]:.0f} MB before)'
        )


if __name__ == '__main__':
    main()
