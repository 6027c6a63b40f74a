"""Writes the trained model as GGUF: python export_gguf.py build demo-f16.gguf demo-q8_0.gguf

The type is taken from the file name. The rope in model.py turns neighbouring pairs, as llama.cpp does for this
architecture, so Q and K are stored as they are. check_logits.py compares the result with llama.cpp."""

import json
import sys
from pathlib import Path

import gguf

from model import load

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TYPES = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def add_tokenizer(out, path):
    """Writes the vocabulary, the merges, the special tokens and the chat template."""
    tok = json.loads(Path(path).read_text(encoding="utf-8"))
    special = {t["content"]: t["id"] for t in tok["added_tokens"]}
    vocab = sorted(tok["model"]["vocab"].items(), key=lambda item: item[1])
    assert [i for _, i in vocab] == list(range(len(vocab)))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list([t for t, _ in vocab])
    out.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t, _ in vocab])
    out.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tok["model"]["merges"]])
    out.add_bos_token_id(special["<|endoftext|>"])
    out.add_eos_token_id(special["<|im_end|>"])
    out.add_eot_token_id(special["<|im_end|>"])
    out.add_pad_token_id(special["<|endoftext|>"])
    out.add_add_bos_token(False)
    out.add_chat_template(CHAT_TEMPLATE)


def export(build, path):
    """Writes the model in the folder `build` as the GGUF file `path`."""
    model, name = load(f"{build}/model.pt"), next(n for n in TYPES if n in path)
    (tensor_type, file_type), cfg = TYPES[name], model.cfg
    out = gguf.GGUFWriter(path, "llama")
    out.add_type(gguf.GGUFType.MODEL)
    out.add_name("llama-rs demo")
    out.add_description("Tiny demo chat model of llama-rs, trained from scratch on generated text")
    out.add_license("cc0-1.0")
    out.add_languages(["en"])
    out.add_size_label(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M")
    out.add_file_type(file_type)
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)
    out.add_vocab_size(cfg.vocab_size)
    out.add_context_length(cfg.n_ctx)
    out.add_embedding_length(cfg.n_embd)
    out.add_block_count(cfg.n_layer)
    out.add_feed_forward_length(cfg.n_ff)
    out.add_head_count(cfg.n_head)
    out.add_head_count_kv(cfg.n_head_kv)
    out.add_rope_dimension_count(cfg.head_dim)
    out.add_rope_freq_base(cfg.rope_base)
    out.add_layer_norm_rms_eps(cfg.norm_eps)
    add_tokenizer(out, f"{build}/tokenizer.json")
    for key, value in model.state_dict().items():  # the names are those of GGUF already
        data = value.float().numpy()
        if data.ndim == 1:
            out.add_tensor(key, data)
        else:
            out.add_tensor(key, gguf.quants.quantize(data, tensor_type), raw_dtype=tensor_type)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    for path in sys.argv[2:]:
        export(sys.argv[1], path)
