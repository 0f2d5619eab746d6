"""Training step and inference of each family beside its twin in `transformers`."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ptm_explore.models.bert import BertConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import build, flops_per_token

ROUNDS = 9
SHAPE = {"d_model": 256, "n_layers": 4, "n_heads": 4, "d_ff": 1024, "vocab_size": 8192, "max_len": 2048}
BATCH, LENGTH, MASKED = 32, 128, 0.15


def ours(family: str, dropout: float, **shape) -> torch.nn.Module:
    cls, head = {"bert": (BertConfig, "mlm"), "gpt": (GptConfig, "lm")}[family]
    return build(family, cls(**SHAPE | shape, dropout=dropout, attention_dropout=dropout), (head,), seed=0)


def theirs(family: str, dropout: float, **shape) -> torch.nn.Module:
    import transformers

    s = SHAPE | shape
    if family == "bert":
        config = transformers.BertConfig(
            vocab_size=s["vocab_size"],
            hidden_size=s["d_model"],
            num_hidden_layers=s["n_layers"],
            num_attention_heads=s["n_heads"],
            intermediate_size=s["d_ff"],
            max_position_embeddings=s["max_len"],
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
        return transformers.BertForMaskedLM(config)
    config = transformers.GPT2Config(
        vocab_size=s["vocab_size"],
        n_embd=s["d_model"],
        n_layer=s["n_layers"],
        n_head=s["n_heads"],
        n_inner=s["d_ff"],
        n_positions=s["max_len"],
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLM",
    )
    return transformers.GPT2LMHeadModel(config)


def data(family: str, batch: int, length: int, vocab_size: int):
    """Random ids; the flat positions to predict and their targets, and the same as labels of -100."""
    g = torch.Generator().manual_seed(0)
    ids = torch.randint(1, vocab_size, (batch, length), generator=g)
    if family == "gpt":
        at = torch.arange(batch * length).view(batch, length)[:, :-1].flatten()
        return ids, at, ids[:, 1:].flatten(), ids
    chosen = torch.rand(ids.shape, generator=g) < MASKED
    return ids, chosen.flatten().nonzero().squeeze(1), ids[chosen], ids.masked_fill(~chosen, -100)


def training(net: torch.nn.Module, mine: bool, family: str, batch: int, length: int) -> Callable[[], None]:
    """A whole step: forward, backward, clipping, fused AdamW."""
    ids, at, targets, labels = data(family, batch, length, net.config.vocab_size)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    mask = torch.ones_like(ids)
    net.train()

    def step() -> None:
        if mine:
            loss = net(ids, at=at).token_loss(targets) / len(targets)
        else:
            loss = net(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def inference(net: torch.nn.Module, mine: bool, family: str, batch: int, length: int) -> Callable[[], None]:
    """Hidden states and the logits of all positions."""
    ids, *_ = data(family, batch, length, net.config.vocab_size)
    mask = torch.ones_like(ids)
    net.eval()

    @torch.inference_mode()
    def forward() -> None:
        _ = net(ids).logits if mine else net(input_ids=ids, attention_mask=mask).logits

    return forward


def medians(*functions: Callable[[], None], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each, run in turn."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 1):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if number:  # the first round warms up
                seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in times]


def peak_mb(family: str, dropout: float, mine: bool) -> float:
    """Megabytes that a few training steps add to a fresh process at their peak."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (family, dropout, mine))


def _peak(family: str, dropout: float, mine: bool) -> float:
    net = (ours if mine else theirs)(family, dropout)
    step = training(net, mine, family, BATCH, LENGTH)
    before = _resident_mb()
    for _ in range(3):
        step()
    return _resident_mb() - before


def _resident_mb() -> float:
    """The largest resident size so far (Linux; getrusage would count the parent's before the exec)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def matrix_rate() -> float:
    """FLOP/s of the machine's own products at the size of a feed-forward layer."""
    a, b = torch.randn(BATCH * LENGTH, 1024), torch.randn(1024, 256)
    (seconds,) = medians(lambda: a @ b, rounds=30)
    return 2 * a.numel() * b.size(1) / seconds


def steps() -> None:
    """Training step and inference, time and memory, with and without dropout."""
    print(f"\n{torch.get_num_threads()} threads, 4 layers x 256, vocabulary 8,192, {BATCH} x {LENGTH} tokens")
    print(
        "family dropout  step ms (ours, theirs, ratio)  inference ratio  peak MB (ours, theirs)  matrix rate"
    )
    for family in ("bert", "gpt"):
        for dropout in (0.1, 0.0):
            a, b = ours(family, dropout), theirs(family, dropout)
            pair = [(a, True), (b, False)]
            mine, other = medians(*(training(net, own, family, BATCH, LENGTH) for net, own in pair))
            fast, slow = medians(*(inference(net, own, family, BATCH, LENGTH) for net, own in pair))
            predicted = MASKED if family == "bert" else 1.0
            flops = 3 * BATCH * LENGTH * flops_per_token(a.config, LENGTH, predicted)
            memory = [peak_mb(family, dropout, own) for own in (True, False)]
            print(
                f"{family:6} {dropout:7} {mine * 1e3:11.0f} {other * 1e3:7.0f} {other / mine:7.2f} x"
                f" {slow / fast:16.2f} x {memory[0]:14.0f} {memory[1]:8.0f}"
                f" {flops / mine / matrix_rate():18.0%}"
            )


def lengths() -> None:
    """Training step against length, at 4,096 tokens a step: what grows is attention."""
    print("\nlength   bert ms a step (ours, theirs, ratio)   gpt ms (ours, theirs, ratio)")
    for length in (128, 256, 512, 1024, 2048):
        row = f"{length:6}"
        for family in ("bert", "gpt"):
            pair = [(ours(family, 0.0), True), (theirs(family, 0.0), False)]
            mine, other = medians(
                *(training(net, own, family, 4096 // length, length) for net, own in pair), rounds=3
            )
            row += f" {mine * 1e3:12.0f} {other * 1e3:8.0f} {other / mine:6.2f} x    "
        print(row)


def sizes() -> None:
    """Training step against model size, 8 x 128 tokens."""
    print("\nlayers x d_model   bert ms a step (ours, theirs, ratio)")
    for n_layers, d_model in ((2, 128), (4, 256), (4, 512), (8, 512), (12, 768)):
        shape = {
            "n_layers": n_layers,
            "d_model": d_model,
            "d_ff": 4 * d_model,
            "n_heads": max(d_model // 64, 4),
        }
        pair = [(ours("bert", 0.1, **shape), True), (theirs("bert", 0.1, **shape), False)]
        mine, other = medians(*(training(net, own, "bert", 8, 128) for net, own in pair), rounds=3)
        print(f"{n_layers:6} x {d_model:5} {mine * 1e3:18.0f} {other * 1e3:8.0f} {other / mine:6.2f} x")
