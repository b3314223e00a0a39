r"""ADM: attention-based distillation of features (Eq. 16 to 20).

Every feature :math:`f_m^T` of the teacher is a query, every feature
:math:`f_n^S` of the student a key, and the attention :math:`\alpha_{m,n}`
weighs the distance of their maps. The equations are those of AFD (Ji et al.,
"Show, Attend and Distill", AAAI 2021). The functions follow them one by one;
:class:`ADM` contains the learned parameters.

Sizes: N samples, M teacher and S student features, query and key width c.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmdsr.registry import MODELS

_ACTIVATIONS: dict[str | None, Callable[[Tensor], Tensor] | None] = {
    'relu': F.relu,
    None: None,
}


def pool_and_project(
    feats: Sequence[Tensor],
    layers: Iterable[nn.Module],
    activation: Callable[[Tensor], Tensor] | None = F.relu,
) -> Tensor:
    r"""Compute queries (Eq. 16) or keys (Eq. 17), :math:`g(W \phi^{HW}(f))`.

    Args:
        feats: Features (N, C_i, H_i, W_i).
        layers: A 1x1 convolution C_i -> c for each feature.
        activation: The function g; ``None`` for the identity.

    Returns:
        Queries or keys (N, number of features, c).
    """
    pooled = [
        layer(feat.mean((2, 3), keepdim=True)).flatten(1)
        for feat, layer in zip(feats, layers, strict=True)
    ]
    projected = torch.stack(pooled, dim=1)
    return projected if activation is None else activation(projected)


def attention(
    queries: Tensor,
    keys: Tensor,
    bilinear: Tensor,
    teacher_position: Tensor,
    student_position: Tensor,
    per: str = 'student',
    over: str = 'student',
) -> Tensor:
    r"""Return the attention of teacher over student features (Eq. 18).

    .. math::
        \alpha_{m,n} = \mathrm{softmax}_n \frac{q_m^\top W k_n +
            (p_m^T)^\top p_n^S}{\sqrt c}

    Args:
        queries: Queries (N, M, c).
        keys: Keys (N, S, c).
        bilinear: W, (S, c, c) with ``per='student'``, as printed in the paper,
            or (M, c, c) with ``per='teacher'``, as in AFD.
        teacher_position: p^T (M, c).
        student_position: p^S (S, c).
        per: Side whose features index W.
        over: Side over whose features the softmax runs. The paper does not
            say; its text lets each teacher feature choose among the
            ``'student'`` features. With ``'teacher'``, each student feature
            chooses its teacher.

    Returns:
        Attention (N, M, S); every row over S sums to 1, with
        ``over='teacher'`` every column over M.

    Examples:
        Equal keys get equal attention, whatever the query:

        >>> import torch
        >>> from mmdsr.models.distillers.adm import attention
        >>> queries, keys = torch.randn(1, 2, 8), torch.ones(1, 4, 8)
        >>> bilinear = torch.eye(8).expand(4, 8, 8)
        >>> nowhere = torch.zeros(2, 8), torch.zeros(4, 8)
        >>> attention(queries, keys, bilinear, *nowhere)
        tensor([[[0.2500, 0.2500, 0.2500, 0.2500],
                 [0.2500, 0.2500, 0.2500, 0.2500]]])
    """
    if per == 'student':
        turned = torch.einsum('scd,bsd->bsc', bilinear, keys)
        logits = queries @ turned.transpose(1, 2)
    else:
        turned = torch.einsum('bmc,mcd->bmd', queries, bilinear)
        logits = turned @ keys.transpose(1, 2)
    logits = logits + teacher_position @ student_position.T
    axis = -1 if over == 'student' else -2
    return (logits / math.sqrt(queries.shape[-1])).softmax(dim=axis)


def channel_pool(feat: Tensor, size: Sequence[int] | None = None) -> Tensor:
    r"""Return a unit vector over positions, :math:`\tilde\phi^C` of Eq. 19.

    The mean of the squares over the channels shows where a feature is active,
    independently of its width; the L2 norm over the positions removes its
    scale, which differs between networks.

    Args:
        feat: Feature (N, C, H, W).
        size: Height and width to which the map is resized by adaptive average
            pooling, which repeats pixels where it enlarges. Defaults to the
            size of the map.

    Returns:
        Vectors (N, height * width) of norm 1.

    Examples:
        Neither the width of a feature nor its scale matters:

        >>> import torch
        >>> from mmdsr.models.distillers.adm import channel_pool
        >>> feat = torch.tensor([3.0, 0.0, 4.0, 0.0]).view(1, 1, 2, 2)
        >>> wide = 7 * feat.expand(1, 16, 2, 2)
        >>> torch.allclose(channel_pool(feat), channel_pool(wide))
        True
        >>> channel_pool(feat).norm().item()
        1.0
    """
    pooled = feat.square().mean(1)
    if size is not None and tuple(size) != pooled.shape[-2:]:
        height, width = size
        pooled = F.adaptive_avg_pool2d(pooled, (height, width))
    return F.normalize(pooled.flatten(1), dim=1)


def pair_distances(
    teacher_feats: Sequence[Tensor],
    student_feats: Sequence[Tensor],
    reduction: str = 'norm',
    resize: str = 'pool',
    eps: float = 1e-12,
) -> Tensor:
    r"""Return the distances of all pairs, the norms of Eq. 19 and 20.

    Args:
        teacher_feats: M features (N, C_m, H_m, W_m).
        student_feats: S features (N, C_n, H_n, W_n).
        reduction: ``'norm'``: :math:`\sqrt{\sum d^2 + \epsilon}`; ``'mse'``:
            the mean of :math:`d^2`, as in AFD, which is thousands of times
            smaller.
        resize: How to resize the student's map to the teacher's size:
            ``'pool'``: the channel-pooled map by adaptive average pooling, as
            in AFD; ``'bilinear'``: the feature itself by antialiased bilinear
            interpolation.
        eps: Keeps the gradient of the root finite where two maps are equal.

    Returns:
        Distances (N, M, S).
    """
    # The values of the student depend only on the teacher's size.
    values: dict[Sequence[int], Tensor] = {}
    rows = []
    for teacher in teacher_feats:
        size = teacher.shape[-2:]
        if size not in values:
            maps = list(student_feats)
            if resize == 'bilinear':
                maps = [
                    F.interpolate(feat, size, mode='bilinear', antialias=True)
                    for feat in student_feats
                ]
            values[size] = torch.stack(
                [channel_pool(feat, size) for feat in maps], dim=1
            )
        error = channel_pool(teacher).unsqueeze(1) - values[size]
        rows.append(
            (error.square().sum(-1) + eps).sqrt()
            if reduction == 'norm'
            else error.square().mean(-1)
        )
    return torch.stack(rows, dim=1)


def attention_loss(weights: Tensor, distances: Tensor) -> Tensor:
    """Return the weighted sum over pairs (Eq. 19, 20), averaged over samples.

    Args:
        weights: Attention (N, M, S).
        distances: Distances (N, M, S).

    Returns:
        Scalar.
    """
    return (weights * distances).sum((1, 2)).mean()


@MODELS.register_module()
class ADM(nn.Module):
    """Attention-based distillation module, one for each of the encoders.

    It works with any number, width and size of features on either side, and
    with batches of one, as there is no batch normalization, unlike in AFD. The
    gradient reaches the student through the values and the keys, but never the
    teacher. It runs in fp32 under mixed precision.

    ``bilinear='teacher', query_activation=None, channels=128,
    reduction='mse', loss_weight=200`` is AFD without its normalizations.

    Args:
        teacher_channels: Widths of the teacher's features;
            :class:`mmdsr.DSRDistiller` takes both from the networks.
        student_channels: Widths of the student's features.
        channels: Width c of queries and keys. Not in the paper; the authors'
            code uses 64.
        bilinear: One matrix of Eq. 18 per ``'student'`` feature, as printed,
            or per ``'teacher'`` feature.
        softmax_over: ``'student'`` or ``'teacher'``, see :func:`attention`.
        query_activation: g_Q of Eq. 16, ``'relu'`` or ``None``. Not given in
            the paper.
        key_activation: g_K of Eq. 17.
        reduction: ``'norm'`` or ``'mse'``, see :func:`pair_distances`.
        resize: ``'pool'`` or ``'bilinear'``, see :func:`pair_distances`.
        eps: Summand inside the root of the norm.
        loss_weight: ``lambda_ad`` of Section 5.1.

    Raises:
        ValueError: If an option is unknown or a side has no features.
    """

    def __init__(
        self,
        teacher_channels: Sequence[int],
        student_channels: Sequence[int],
        channels: int = 64,
        bilinear: str = 'student',
        softmax_over: str = 'student',
        query_activation: str | None = 'relu',
        key_activation: str | None = 'relu',
        reduction: str = 'norm',
        resize: str = 'pool',
        eps: float = 1e-12,
        loss_weight: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value, known in (
            ('bilinear', bilinear, ('student', 'teacher')),
            ('softmax_over', softmax_over, ('student', 'teacher')),
            ('query_activation', query_activation, tuple(_ACTIVATIONS)),
            ('key_activation', key_activation, tuple(_ACTIVATIONS)),
            ('reduction', reduction, ('norm', 'mse')),
            ('resize', resize, ('pool', 'bilinear')),
        ):
            if value not in known:
                raise ValueError(
                    f'{name} of ADM must be one of {known}, not {value!r}.'
                )
        if not teacher_channels or not student_channels:
            raise ValueError(
                'ADM needs features of both networks: teacher_channels and '
                'student_channels must not be empty.'
            )
        self.bilinear = bilinear
        self.softmax_over = softmax_over
        self.query_activation = _ACTIVATIONS[query_activation]
        self.key_activation = _ACTIVATIONS[key_activation]
        self.reduction = reduction
        self.resize = resize
        self.eps = eps
        self.loss_weight = loss_weight
        self.queries = nn.ModuleList(
            nn.Conv2d(width, channels, 1) for width in teacher_channels
        )
        self.keys = nn.ModuleList(
            nn.Conv2d(width, channels, 1) for width in student_channels
        )
        owners = len(
            student_channels if bilinear == 'student' else teacher_channels
        )
        self.matrices = nn.Parameter(torch.empty(owners, channels, channels))
        self.teacher_position = nn.Parameter(
            torch.empty(len(teacher_channels), channels)
        )
        self.student_position = nn.Parameter(
            torch.empty(len(student_channels), channels)
        )
        for matrix in self.matrices:
            nn.init.xavier_uniform_(matrix)
        nn.init.xavier_normal_(self.teacher_position)
        nn.init.xavier_normal_(self.student_position)

    def attend(
        self, teacher_feats: Sequence[Tensor], student_feats: Sequence[Tensor]
    ) -> Tensor:
        """Return the attention (N, M, S), see :func:`attention`.

        Args:
            teacher_feats: M features (N, C_m, H_m, W_m).
            student_feats: S features (N, C_n, H_n, W_n).

        Returns:
            Attention (N, M, S).
        """
        return attention(
            pool_and_project(
                teacher_feats, self.queries, self.query_activation
            ),
            pool_and_project(student_feats, self.keys, self.key_activation),
            self.matrices,
            self.teacher_position,
            self.student_position,
            self.bilinear,
            self.softmax_over,
        )

    def forward(
        self, teacher_feats: Sequence[Tensor], student_feats: Sequence[Tensor]
    ) -> Tensor:
        """Compute the weighted loss of Eq. 19 or 20.

        Args:
            teacher_feats: M features (N, C_m, H_m, W_m).
            student_feats: S features (N, C_n, H_n, W_n).

        Returns:
            Scalar, fp32.
        """
        # Squares of features overflow or vanish in fp16.
        with torch.autocast(student_feats[0].device.type, enabled=False):
            teacher_feats = [feat.detach().float() for feat in teacher_feats]
            student_feats = [feat.float() for feat in student_feats]
            loss = attention_loss(
                self.attend(teacher_feats, student_feats),
                pair_distances(
                    teacher_feats,
                    student_feats,
                    self.reduction,
                    self.resize,
                    self.eps,
                ),
            )
        return self.loss_weight * loss
