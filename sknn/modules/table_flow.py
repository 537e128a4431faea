"""Rows of a table: categories one after the other, and then the numbers by flow matching."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .flow_matching import FlowNetwork, time_features

__all__ = ["TableFlow"]

_N_TIME_FEATURES = 32
_MOST_TURNS = 64  # of columns drawn one after the other


class TableFlow(FlowNetwork):
    """A network that generates rows of codes and numbers.

    Codes are drawn one after the other in random order, each in the light of those that are there: a residual MLP
    learns to restore hidden codes from visible ones, whichever these are [1]_. Then a second one carries noise to the
    numbers, by flow matching, in the light of all codes [2]_.

    Parameters
    ----------
    in_features : int
        Numbers of a row, those of its condition included.
    n_codes : sequence of int, default=()
        Number of codes of each column of codes.
    code_of_number : sequence of int, default=()
        Of each number, the column of codes of which code 0 says that the number exists; -1 if it always does.
    condition_size : int, default=0
        The last numbers of a row, which are known beforehand.
    width : int, default=256
        Width of the residual blocks.
    n_blocks : int, default=3
        Number of residual blocks of each of the two networks.
    dropout : float, default=0.1
        Share of the hidden units dropped in training.
    embedding_size : int, default=16
        Width of the embedding of a code.

    Shape
    -----
    - ``x``: ``(batch, n_numbers + condition_size)``.
    - ``codes``: int64 ``(batch, len(n_codes))``.
    - Output: ``(batch, 1)``, the loss of each row: the mean over its columns.

    References
    ----------
    .. [1] E. Hoogeboom et al. Autoregressive Diffusion Models. ICLR 2022. arXiv:2110.02037.
    .. [2] Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le. Flow Matching for Generative Modeling. ICLR 2023.
       arXiv:2210.02747.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import TableFlow
    >>> network = TableFlow(in_features=2, n_codes=[3], code_of_number=[-1, 0])
    >>> network(torch.randn(8, 2), torch.zeros(8, 1, dtype=torch.int64)).shape
    torch.Size([8, 1])
    """

    reads = "generated_table"
    # The loss of codes is flat long before that of velocities, which together decide when training stops.
    recipe = Recipe(
        lr=0.002, weight_decay=0.02, patience=30, min_steps=2000, epochs=40, min_rows_to_split=40, steps_per_epoch=20,
        largest_batch=256, ema_decay=0.99,
    )  # fmt: skip

    def __init__(
        self,
        in_features: int,
        *,
        n_codes: Sequence[int] = (),
        code_of_number: Sequence[int] = (),
        condition_size: int = 0,
        width: int = 256,
        n_blocks: int = 3,
        dropout: float = 0.1,
        embedding_size: int = 16,
    ) -> None:
        super().__init__()
        width, size = check_size("width", width), check_size("embedding_size", embedding_size)
        n_blocks, dropout = check_size("n_blocks", n_blocks), check_fraction("dropout", dropout)
        self.condition_size = check_size("condition_size", condition_size, 0)
        self.n_numbers, self.n_codes = in_features - condition_size, tuple(n_codes)
        self.code_of_number = tuple(code_of_number) or (-1,) * self.n_numbers
        self.embeddings = nn.ModuleList(nn.Embedding(n + 1, size) for n in self.n_codes)  # the last one is hidden
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.5)  # pyright: ignore[reportArgumentType]
        known = len(self.n_codes) * size + condition_size
        self.of_codes = _Trunk(known, width, n_blocks, dropout, sum(self.n_codes)) if self.n_codes else None
        given = known + 2 * self.n_numbers + _N_TIME_FEATURES
        self.of_numbers = _Trunk(given, width, n_blocks, dropout, self.n_numbers) if self.n_numbers else None

    def forward(self, x: Tensor, codes: Tensor | None = None) -> Tensor:
        """Loss of each row, for codes that are hidden at random, and at a random time of the flow."""
        numbers, condition = x.split([self.n_numbers, self.condition_size], dim=1)
        losses = []
        if codes is not None and self.n_codes:
            losses.append(self._loss_of_codes(codes, condition))
        if self.n_numbers:
            t, noise = self._draws(numbers)
            exists = self._exists(codes, numbers)
            velocity = self.velocity(torch.lerp(noise, numbers, t[:, None]), t, condition, codes)
            losses.append((velocity - (numbers - noise)).square() * exists)
        return torch.cat(losses, dim=1).sum(dim=1, keepdim=True) / (self.n_numbers + len(self.n_codes))

    def _loss_of_codes(self, codes: Tensor, condition: Tensor) -> Tensor:
        """Minus the log-likelihood of each code, (batch, n_codes), estimated from those that are hidden."""
        generator = None if self.training else torch.Generator(codes.device).manual_seed(1)
        n_columns = codes.shape[1]
        draws = torch.rand(len(codes), n_columns + 1, generator=generator, dtype=torch.float32, device=codes.device)
        n_visible = (draws[:, :1] * n_columns).floor()
        hidden = draws[:, 1:].argsort(dim=1).argsort(dim=1) >= n_visible
        logits = self._logits(codes, hidden, condition)
        losses = [functional.cross_entropy(of, codes[:, i], reduction="none") for i, of in enumerate(logits)]
        return torch.stack(losses, dim=1) * hidden * (n_columns / (n_columns - n_visible))

    def _logits(self, codes: Tensor, hidden: Tensor, condition: Tensor) -> list[Tensor]:
        """Of each column of codes, (batch, n_codes)."""
        assert self.of_codes is not None
        last = torch.tensor(self.n_codes, dtype=torch.int64, device=codes.device)
        known = self._known(torch.where(hidden, last, codes), condition)
        return list(self.of_codes(known).split(self.n_codes, dim=1))

    def _known(self, codes: Tensor | None, condition: Tensor) -> Tensor:
        if codes is None or not self.n_codes:
            return condition
        vectors = [embed(column) for embed, column in zip(self.embeddings, codes.unbind(dim=1), strict=True)]
        return torch.cat([*vectors, condition], dim=1)

    def _exists(self, codes: Tensor | None, numbers: Tensor) -> Tensor:
        """Which numbers exist by the codes of a row, bool (batch, n_numbers)."""
        if codes is None or not self.n_codes:
            return torch.ones_like(numbers, dtype=torch.bool)
        column = torch.tensor(self.code_of_number, dtype=torch.int64, device=codes.device)
        return (codes[:, column.clamp(min=0)] == 0) | (column < 0)

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        """Directions of the numbers of rows; see ``FlowNetwork.velocity``."""
        assert self.of_numbers is not None
        condition = x.new_zeros(len(x), 0) if condition is None else condition
        exists = self._exists(codes, x)
        given = [x * exists, exists.to(x.dtype), self._known(codes, condition), time_features(t, _N_TIME_FEATURES)]
        return self.of_numbers(torch.cat(given, dim=1))

    @torch.no_grad()
    def generate(
        self, n_rows: int, condition: Tensor, generator: torch.Generator, n_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Make rows.

        Parameters
        ----------
        n_rows : int
        condition : Tensor float32 (n_rows, condition_size)
        generator : torch.Generator
            On the CPU.
        n_steps : int
            Steps of the flow, of two evaluations of the network each.

        Returns
        -------
        numbers : Tensor float32 (n_rows, n_numbers)
        codes : Tensor int64 (n_rows, n_codes)
        """
        device, n_columns = condition.device, len(self.n_codes)
        codes = torch.zeros(n_rows, n_columns, dtype=torch.int64, device=device)
        order = torch.rand(n_rows, n_columns, generator=generator, dtype=torch.float32).argsort(dim=1).to(device)
        n_turns = min(_MOST_TURNS, n_columns)
        turn = order * n_turns // max(1, n_columns)
        for i in range(n_turns):
            logits = self._logits(codes, turn >= i, condition)
            draws = torch.rand(n_rows, n_columns, generator=generator, dtype=torch.float32).to(device)
            drawn = torch.stack([_drawn(of, draws[:, j : j + 1]) for j, of in enumerate(logits)], dim=1)
            codes = torch.where(turn == i, drawn, codes)
        noise = torch.randn(n_rows, self.n_numbers, generator=generator, dtype=torch.float32).to(device)
        if not self.n_numbers:
            return noise, codes
        return self.integrate(noise, condition, n_steps, codes=codes if n_columns else None), codes


class _Trunk(nn.Module):
    """A residual MLP."""

    def __init__(self, in_features: int, width: int, n_blocks: int, dropout: float, out_features: int) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
            )
            for _ in range(n_blocks)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (batch, out_features)."""
        hidden = self.first(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.last(hidden)


def _drawn(logits: Tensor, draws: Tensor) -> Tensor:
    """A code for each row, int64 (batch,), where `draws` (batch, 1) are uniform."""
    shares = logits.double().softmax(dim=1).cumsum(dim=1)
    return (shares < draws).sum(dim=1).clamp(max=logits.shape[1] - 1)
