"""Training step and inference of each family beside its twin in `transformers`; on a GPU if there is one, in
the bf16 that training takes there."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch

from ptm_explore.models.recipes import FAMILIES, build
from ptm_explore.objectives import objective
from ptm_explore.text.batches import Batch
from ptm_explore.training.devices import name_of

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROUNDS = 9
SHAPE = {"d_model": 256, "n_layers": 4, "n_heads": 4, "d_ff": 1024, "vocab_size": 8192, "max_len": 2048}
BATCH, LENGTH = 32, 128
GOALS = {
    "gpt": objective({"clm": {}}),
    "xlnet": objective({"plm": {"spans": False}}),  # as many targets in every row, as the reference needs
    "electra": objective({"rtd": {}}),
    **dict.fromkeys(("bert", "roberta", "albert"), objective({"mlm": {}})),
}


MODELS = ("bert", "roberta", "albert", "electra", "xlnet", "gpt")
HEADS = {"gpt": ("lm",), "xlnet": ("lm",), "electra": ("rtd", "generator")}
E = 128  # of ALBERT's and ELECTRA's embeddings
GENERATOR = 0.25  # of ELECTRA's width


def ours(family: str, dropout: float, **shape) -> torch.nn.Module:
    more = {"albert": {"d_embedding": E}, "electra": {"d_embedding": E, "generator_size": GENERATOR}}
    settings = SHAPE | more.get(family, {}) | shape
    config = FAMILIES[family].config_class(**settings, dropout=dropout, attention_dropout=dropout)
    return build(family, config, HEADS.get(family, ("mlm",)), seed=0, device=DEVICE)


def theirs(family: str, dropout: float, **shape) -> torch.nn.Module:
    """The twin in transformers; for ELECTRA, which has no joint class, both parts put together."""
    return _theirs(family, dropout, **shape).to(DEVICE)


def _theirs(family: str, dropout: float, **shape) -> torch.nn.Module:
    import transformers as hf

    s = SHAPE | shape
    sizes = {
        "vocab_size": s["vocab_size"],
        "hidden_size": s["d_model"],
        "num_hidden_layers": s["n_layers"],
        "num_attention_heads": s["n_heads"],
        "intermediate_size": s["d_ff"],
        "max_position_embeddings": s["max_len"],
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    if family == "bert":
        return hf.BertForMaskedLM(hf.BertConfig(**sizes))
    if family == "roberta":
        longer = sizes | {"max_position_embeddings": s["max_len"] + 2, "type_vocab_size": 1}
        return hf.RobertaForMaskedLM(hf.RobertaConfig(**longer))
    if family == "albert":
        return hf.AlbertForMaskedLM(hf.AlbertConfig(**sizes, embedding_size=E))
    if family == "electra":
        small = {"hidden_size": 0, "intermediate_size": 0, "num_attention_heads": 0}
        small = {name: max(1, int(sizes[name] * GENERATOR)) for name in small}
        return PlainElectra(
            hf.ElectraForMaskedLM(hf.ElectraConfig(**sizes | small, embedding_size=E)),
            hf.ElectraForPreTraining(hf.ElectraConfig(**sizes, embedding_size=E)),
        )
    sizes = {
        "vocab_size": s["vocab_size"],
        "n_layer": s["n_layers"],
        "n_head": s["n_heads"],
    }
    if family == "xlnet":
        config = hf.XLNetConfig(**sizes, d_model=s["d_model"], d_inner=s["d_ff"], dropout=dropout)
        return hf.XLNetLMHeadModel(config)
    config = hf.GPT2Config(
        **sizes,
        n_embd=s["d_model"],
        n_inner=s["d_ff"],
        n_positions=s["max_len"],
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLM",
    )
    return hf.GPT2LMHeadModel(config)


class PlainElectra(torch.nn.Module):
    """Generator and discriminator of transformers as one would join them: tied embeddings, sampled tokens."""

    def __init__(self, generator, discriminator):
        super().__init__()
        generator.electra.embeddings = discriminator.electra.embeddings
        generator.generator_lm_head.weight = discriminator.electra.embeddings.word_embeddings.weight
        self.generator, self.discriminator = generator, discriminator
        self.config = discriminator.config

    def forward(self, input_ids, attention_mask=None, labels=None, originals=None):
        if labels is None:
            return self.discriminator(input_ids, attention_mask)
        out = self.generator(input_ids, attention_mask, labels=labels)
        chosen = labels != -100
        with torch.no_grad():
            drawn = torch.distributions.Categorical(logits=out.logits[chosen]).sample()
        shown = originals.masked_scatter(chosen, drawn)
        found = self.discriminator(shown, attention_mask, labels=(shown != originals).long())
        out.loss = out.loss + 50 * found.loss
        return out


def batch_of(net, family: str, batch: int, length: int) -> tuple[Batch, dict]:
    """Random ids under the family's objective, as ours takes them and as theirs does."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(5, net.config.vocab_size, (batch, length), generator=draw)
    plain = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), torch.arange(batch))
    vocabulary = SimpleNamespace(mask_id=4, vocab_size=net.config.vocab_size)
    made = GOALS[family].corrupt(plain, vocabulary, seed=0).to(DEVICE)
    ids = ids.to(DEVICE)
    theirs = {"input_ids": made.input_ids, "attention_mask": torch.ones_like(ids)}
    if family == "gpt":
        return made, theirs | {"labels": ids}
    chosen = torch.zeros_like(ids, dtype=torch.bool)
    chosen.view(-1)[made.at] = True
    if family == "xlnet":
        places = chosen.nonzero()[:, 1].view(batch, -1)  # every row has as many targets
        mapping = torch.nn.functional.one_hot(places, length).float()
        more = {"perm_mask": (~made.visible).float(), "target_mapping": mapping}
        return made, theirs | more | {"labels": ids.gather(1, places)}
    originals = {"originals": ids} if family == "electra" else {}
    return made, theirs | originals | {"labels": ids.masked_fill(~chosen, -100)}


def autocast():
    return torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda")


def training(net: torch.nn.Module, mine: bool, family: str, batch: int, length: int) -> Callable[[], None]:
    """A whole step: forward, backward, clipping, fused AdamW."""
    made, given = batch_of(net, family, batch, length)
    goal = GOALS[family]
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    counts, weights = goal.counts(made), goal.weights()
    net.train()

    def step() -> None:
        with autocast():
            if mine:
                sums = goal.loss(goal.forward(net, made), made)
                loss = sum(weights[name] * value / counts[name] for name, value in sums.items())
            else:
                loss = net(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def inference(net: torch.nn.Module, mine: bool, family: str, batch: int, length: int) -> Callable[[], None]:
    """Hidden states and the logits of all positions."""
    ids = batch_of(net, family, batch, length)[0].input_ids
    mask = torch.ones_like(ids)
    net.eval()

    @torch.inference_mode()
    def forward() -> None:
        with autocast():
            _ = net(ids).logits if mine else net(input_ids=ids, attention_mask=mask).logits

    return forward


def medians(*functions: Callable[[], None], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each, run in turn."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 1):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if DEVICE == "cuda":
                torch.cuda.synchronize()
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
    """The largest size so far: of the GPU's memory, or resident (Linux; getrusage would count the parent's
    before the exec)."""
    if DEVICE == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def matrix_rate() -> float:
    """FLOP/s of the machine's own products at the size of a feed-forward layer."""
    a = torch.randn(BATCH * LENGTH, 1024, device=DEVICE)
    b = torch.randn(1024, 256, device=DEVICE)
    with autocast():
        (seconds,) = medians(lambda: a @ b, rounds=30)
    return 2 * a.numel() * b.size(1) / seconds


def steps() -> None:
    """Training step and inference, time and memory, with and without dropout."""
    print(f"\n{name_of(torch.device(DEVICE))}, 4 layers x 256, vocabulary 8,192, {BATCH} x {LENGTH} tokens")
    print(
        "family dropout  step ms (ours, theirs, ratio)  inference ratio  peak MB (ours, theirs)  matrix rate"
    )
    for family in MODELS:
        for dropout in (0.1, 0.0):
            a, b = ours(family, dropout), theirs(family, dropout)
            pair = [(a, True), (b, False)]
            mine, other = medians(*(training(net, own, family, BATCH, LENGTH) for net, own in pair))
            fast, slow = medians(*(inference(net, own, family, BATCH, LENGTH) for net, own in pair))
            predicted = len(batch_of(a, family, BATCH, LENGTH)[0].targets) / (BATCH * LENGTH)
            flops = 3 * BATCH * LENGTH * a.config.flops_per_token(LENGTH, predicted)
            memory = [peak_mb(family, dropout, own) for own in (True, False)]
            print(
                f"{family:7} {dropout:6} {mine * 1e3:11.0f} {other * 1e3:7.0f} {other / mine:7.2f} x"
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
