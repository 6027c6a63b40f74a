"""A small llama-architecture decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, tied embeddings."""

from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    """Sizes of the model; the names are close to those of GGUF."""

    vocab_size: int = 2048
    n_ctx: int = 1024
    n_embd: int = 256
    n_layer: int = 5
    n_head: int = 8
    n_head_kv: int = 4
    n_ff: int = 512
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head


class RMSNorm(nn.Module):
    """Scales by the root mean square; computed and returned in 32 bits."""

    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rope_table(cfg: Config):
    """(cos, sin), each of shape (n_ctx, head_dim / 2)."""
    inv_freq = cfg.rope_base ** (-torch.arange(0, cfg.head_dim, 2).float() / cfg.head_dim)
    angle = torch.outer(torch.arange(cfg.n_ctx).float(), inv_freq)
    return angle.cos(), angle.sin()


def rope(x, cos, sin):
    """Rotates the pairs (0, 1), (2, 3), ...: the order llama.cpp uses for this architecture, so that the exported
    Q and K weights need no permutation."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


class Block(nn.Module):
    """One layer: attention and feed-forward, each after a norm and added to its input."""

    def __init__(self, cfg: Config):
        super().__init__()
        self.cfg = cfg
        kv = cfg.n_head_kv * cfg.head_dim
        self.attn_norm = RMSNorm(cfg.n_embd, cfg.norm_eps)
        self.attn_q = nn.Linear(cfg.n_embd, cfg.n_embd, bias=False)
        self.attn_k = nn.Linear(cfg.n_embd, kv, bias=False)
        self.attn_v = nn.Linear(cfg.n_embd, kv, bias=False)
        self.attn_output = nn.Linear(cfg.n_embd, cfg.n_embd, bias=False)
        self.ffn_norm = RMSNorm(cfg.n_embd, cfg.norm_eps)
        self.ffn_gate = nn.Linear(cfg.n_embd, cfg.n_ff, bias=False)
        self.ffn_up = nn.Linear(cfg.n_embd, cfg.n_ff, bias=False)
        self.ffn_down = nn.Linear(cfg.n_ff, cfg.n_embd, bias=False)

    def forward(self, x, cos, sin):
        h = self.attn_norm(x)
        q, k, v = (
            proj(h).unflatten(-1, (-1, self.cfg.head_dim)).transpose(1, 2)
            for proj in (self.attn_q, self.attn_k, self.attn_v)
        )
        groups = self.cfg.n_head // self.cfg.n_head_kv
        k = rope(k, cos, sin).repeat_interleave(groups, 1)
        v = v.repeat_interleave(groups, 1)
        h = F.scaled_dot_product_attention(rope(q, cos, sin), k, v, is_causal=True)
        x = x + self.attn_output(h.transpose(1, 2).flatten(2))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Model(nn.Module):
    """The parameter names are those of the tensors in a GGUF file."""

    def __init__(self, cfg: Config):
        super().__init__()
        self.cfg = cfg
        self.token_embd = nn.Embedding(cfg.vocab_size, cfg.n_embd)
        self.blk = nn.ModuleList(Block(cfg) for _ in range(cfg.n_layer))
        self.output_norm = RMSNorm(cfg.n_embd, cfg.norm_eps)
        cos, sin = rope_table(cfg)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                nn.init.normal_(p, std=0.02 / (2 * cfg.n_layer) ** 0.5)

    def hidden(self, tokens):
        """Token ids of shape (batch, length) to hidden states of shape (batch, length, n_embd)."""
        x = self.token_embd(tokens)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for block in self.blk:
            x = block(x, cos, sin)
        return x

    def head(self, x):
        """Hidden states to logits; apart from `hidden`, so that training pays only for the tokens that count."""
        return F.linear(self.output_norm(x), self.token_embd.weight)

    def forward(self, tokens):
        return self.head(self.hidden(tokens))


def save(model: Model, path: str):
    """Writes the sizes and the weights."""
    torch.save({"config": asdict(model.cfg), "state": model.state_dict()}, path)


def load(path: str) -> Model:
    """Reads what `save` wrote; the model is in evaluation mode."""
    data = torch.load(path, map_location="cpu", weights_only=True)
    model = Model(Config(**data["config"]))
    model.load_state_dict(data["state"])
    return model.eval()
