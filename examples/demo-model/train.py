"""Trains the tokenizer and the model on generated text: python train.py --out build --tokens 20e6"""

import argparse
import math
import os
import random
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from model import Config, Model, load, save
from training_data import batches, encode, train_tokenizer

WARM_UP = 150  # steps
SAVE_EVERY = 240  # seconds
TEST_SEED, TEST_TOKENS = 999, 1e5


def arguments():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--out", default="build", help="folder for tokenizer.json and model.pt")
    ap.add_argument("--tokens", type=float, default=20e6, help="how much text to generate and learn")
    ap.add_argument("--vocab", type=int, default=2048)
    ap.add_argument("--layers", type=int, default=5)
    ap.add_argument("--init", help="folder of an earlier run to continue from, with its tokenizer")
    ap.add_argument("--hold", type=float, default=0.4, help="share of the steps at the full rate")
    ap.add_argument("--batch", type=int, default=4096, help="padded tokens in a step")
    ap.add_argument("--lr", type=float, default=4e-3)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--threads", type=int, default=2)
    return ap.parse_args()


def start_point(args):
    """(tokenizer, model): those of --init, or new ones. The tokenizer is saved in --out."""
    if args.init:
        tok, model = Tokenizer.from_file(f"{args.init}/tokenizer.json"), load(f"{args.init}/model.pt").train()
        tok.save(f"{args.out}/tokenizer.json")
    else:
        tok = train_tokenizer(f"{args.out}/tokenizer.json", args.vocab)
        model = Model(Config(vocab_size=tok.get_vocab_size(), n_layer=args.layers))
    return tok, model


def optimizers(model, lr):
    """Muon for the matrices of the blocks, AdamW for the embedding and the norms."""
    hidden = [p for n, p in model.named_parameters() if p.dim() == 2 and "token_embd" not in n]
    other = [p for n, p in model.named_parameters() if p.dim() != 2 or "token_embd" in n]
    return [
        torch.optim.Muon(hidden, lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(other, lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def loss_sum(model, x, y, m):
    """The loss summed over the tokens that count."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model.head(model.hidden(x)[m])
    return F.cross_entropy(logits.float(), y[m], reduction="sum")


def test_loss(model, test):
    with torch.no_grad():
        return sum(loss_sum(model, *b).item() for b in test) / sum(int(b[2].sum()) for b in test)


def train(model, docs, test, args):
    opts = optimizers(model, args.lr)
    steps = sum(1 for _ in batches(docs, random.Random(args.seed), args.batch))
    start = saved = time.time()
    seen, mean = 0, 0.0
    for step, (x, y, m) in enumerate(batches(docs, random.Random(args.seed), args.batch)):
        rate = min(1.0, (step + 1) / WARM_UP, (1 - step / steps) / (1 - args.hold))  # warm up, hold, then fall to zero
        loss = loss_sum(model, x, y, m) / int(m.sum())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = args.lr * rate
            opt.step()
            opt.zero_grad()
        seen += x.numel()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        last, elapsed = step == steps - 1, time.time() - start
        if step % 100 == 0 or last:
            print(f"step {step}/{steps} loss {mean:.3f} {seen / elapsed:.0f} tokens/s {elapsed:.0f} s", flush=True)
        if time.time() - saved > SAVE_EVERY or last:
            saved = time.time()
            save(model, f"{args.out}/model.pt")
            nll = test_loss(model, test)
            print(f"step {step}/{steps} test loss {nll:.4f} perplexity {math.exp(nll):.3f}", flush=True)


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    os.makedirs(args.out, exist_ok=True)
    tok, model = start_point(args)
    n_ctx = model.cfg.n_ctx
    docs = encode(tok, args.seed, args.tokens, n_ctx)
    test = list(batches(encode(tok, TEST_SEED, TEST_TOKENS, n_ctx), random.Random(0), args.batch))
    n_tokens, n_loss = sum(len(ids) for ids, _ in docs), sum(mask.sum() for _, mask in docs)
    n_params = sum(p.numel() for p in model.parameters())
    print(f"{n_params} parameters, {len(docs)} texts, {n_tokens} tokens, {n_loss} count for the loss")
    train(model, docs, test, args)


if __name__ == "__main__":
    main()
