"""Terms of language models and their one-sentence explanations."""

ASK_TERM = (
    "What is {a}?|What is {a}?|What's {a}?|What are {b}?|What does {x} mean?|"
    "Explain {x}[|.| to me.| in one sentence.| briefly.| please.]|[Can|Could] you explain {x}[| to me]?|"
    "What do you know about {x}?|Define {x}.|Tell me [|something ]about {x}.|Please explain {x}.|"
    "What is meant by {x}?|Describe {x}.|I do not understand {x}.|I don't know what {x} [is|means].|{x}?|"
    "How does {x} work?|Why do [we|I] need {x}?|What is {a} [for|used for|good for]?|What is the meaning of {x}?|"
    "Give me a [short |]definition of {x}.|[In short|Briefly|In simple words], what is {x}?|"
    "Do you know what {x} is?|What does {x} do?|What is the effect of {x}?|When should I use {x}?|"
    "What is so good about {x}?|What is the point of {x}?|I keep hearing about {x}. What is it?|"
    "What do people mean by {x}?|Can you tell me what {a} is?|What exactly is {a}?"
)
# (names, answer)
TERMS = [
    (
        "GGUF|gguf|a GGUF file|the GGUF format|a gguf",
        "GGUF is a file format for language models. One file holds the weights, the tokenizer and all settings.",
    ),
    (
        "quantization|quantisation|a quantized model|quantizing|a quant|model quantization",
        (
            "Quantization stores the weights of a model with fewer bits. The model gets smaller and faster, and "
            "only a little worse."
        ),
    ),
    (
        "the KV cache|KV cache|a KV cache|kv cache|the key value cache|the kv-cache|KV caching",
        "The KV cache keeps what the model has already worked out for earlier tokens, so that each new token is fast.",
    ),
    (
        "the context|context|the context window|context length|the context size|a context window|n_ctx",
        "The context is the text that the model can see at once, counted in tokens. When it is full, old text must go.",
    ),
    (
        "temperature|the temperature|sampling temperature|a temperature|the temperature setting",
        (
            "Temperature controls how random the answers are. Zero always takes the most likely token; higher "
            "values give more variety."
        ),
    ),
    (
        "a stop sequence|stop sequences|a stop string|stop strings|a stop word|the stop sequence",
        "A stop sequence is a piece of text that ends the answer as soon as the model writes it.",
    ),
    (
        "a token|tokens|token",
        "A token is a small piece of text, such as a word or a part of a word. Models read and write tokens.",
    ),
    (
        "a tokenizer|the tokenizer|tokenization|tokenizers",
        "A tokenizer cuts text into tokens and turns tokens back into text.",
    ),
    (
        "a prompt|prompts|the prompt",
        "A prompt is the text that you give to the model. The model answers by continuing it.",
    ),
    (
        "a system prompt|the system prompt|system prompts|a system message",
        "A system prompt is a first message that tells the model how to behave during the chat.",
    ),
    (
        "a chat template|the chat template|chat templates|ChatML",
        "A chat template turns the messages of a chat into one text with special marks that the model knows.",
    ),
    (
        "top-k|top k|top-k sampling|top_k",
        "Top-k sampling looks only at the k most likely next tokens and picks one of them.",
    ),
    (
        "top-p|top p|top-p sampling|nucleus sampling|top_p",
        "Top-p sampling keeps the most likely tokens until their chances add up to p, and picks one of them.",
    ),
    (
        "min-p|min p|min-p sampling|min_p",
        "Min-p sampling drops all tokens that are much less likely than the best one.",
    ),
    (
        "sampling|a sampler|samplers|token sampling",
        "Sampling means picking the next token by chance, where likely tokens are picked more often.",
    ),
    (
        "greedy decoding|greedy sampling|greedy search",
        "Greedy decoding always takes the most likely next token, so the answer is the same each time.",
    ),
    (
        "a seed|the seed|a random seed|the random seed",
        "The seed sets the random numbers. The same seed and the same settings give the same answer again.",
    ),
    (
        "a language model|an LLM|LLMs|language models|a large language model|LLM",
        "A language model is a program that has learned from text to guess the next token, again and again.",
    ),
    (
        "a parameter|parameters|weights|a weight|the weights",
        "Parameters, or weights, are the numbers that a model has learned. More parameters often mean a better model.",
    ),
    (
        "an embedding|embeddings|a text embedding",
        "An embedding is a list of numbers that stands for the meaning of a text.",
    ),
    ("inference|model inference", "Inference means using a trained model to make an answer."),
    (
        "training|training a model|model training",
        "Training means changing the weights of a model step by step until it guesses its texts well.",
    ),
    (
        "fine-tuning|finetuning|a fine-tuned model",
        "Fine-tuning means training a finished model a little more, for one special task.",
    ),
    (
        "a repeat penalty|the repeat penalty|repetition penalty|a repetition penalty",
        "A repeat penalty makes tokens that were just used less likely, so that the text does not go round in circles.",
    ),
    (
        "Q4_K_M|q4_k_m|Q4|the Q4_K_M format",
        "Q4_K_M is a quantization with about four to five bits per weight. It is a good mix of size and quality.",
    ),
    (
        "Q8_0|q8_0|Q8|the Q8_0 format",
        (
            "Q8_0 is a quantization with about eight bits per weight. It is larger than Q4_K_M, but almost as good "
            "as the original."
        ),
    ),
    (
        "F16|f16|FP16|half precision",
        (
            "F16 stores each weight as a number of sixteen bits. It is exact enough, but takes more room than a "
            "quantized file."
        ),
    ),
    (
        "batching|a batch|batch processing|continuous batching",
        "Batching means working on many prompts at the same time, which makes better use of the computer.",
    ),
    (
        "streaming|token streaming|a stream",
        "Streaming shows each token as soon as it is made, so that you need not wait for the whole answer.",
    ),
    (
        "mmap|memory mapping|a memory map",
        "With memory mapping the model file is read from disk only where it is needed, so it starts fast.",
    ),
    (
        "a thread|threads|the number of threads|threading",
        "Threads are workers on the processor. Often as many threads as real cores is the best choice.",
    ),
    (
        "a transformer|transformers|the transformer architecture",
        (
            "A transformer is the kind of network behind most language models. It uses attention to look at all "
            "earlier tokens."
        ),
    ),
    (
        "attention|self-attention|the attention mechanism",
        "Attention lets a model look back at earlier tokens and pick out the ones that matter now.",
    ),
    (
        "a neural network|neural networks|a network",
        "A neural network is a program made of many simple number units that learns from examples.",
    ),
    (
        "AI|artificial intelligence|machine learning",
        "AI is about programs that do things which seem to need thinking. Most of them learn from examples.",
    ),
    (
        "a LoRA|LoRA|lora|a LoRA adapter|lora adapters",
        "A LoRA is a small set of extra weights that changes how a model behaves.",
    ),
    (
        "a grammar|grammars|GBNF|a GBNF grammar",
        "A grammar tells the sampler which texts are allowed, for example only valid JSON.",
    ),
    ("JSON|json|a JSON file", "JSON is a simple text format for data, with names and values."),
    ("JSONL|jsonl|a JSONL file|JSON lines", "A JSONL file holds one JSON value on each line."),
    (
        "speculative decoding|a draft model",
        "In speculative decoding a small model guesses some tokens ahead, and the large model only checks them.",
    ),
    ("perplexity|the perplexity", "Perplexity measures how surprised a model is by a text. Lower is better."),
    ("a logit|logits", "Logits are the raw scores that a model gives to every possible next token."),
    (
        "BOS|EOS|the EOS token|an EOS token|the end token|the end-of-text token",
        "It is a special token that marks where a text starts or ends.",
    ),
    ("a BPE|BPE|byte pair encoding", "BPE builds tokens by joining the pairs of letters that are seen most often."),
    ("RAM|memory|the RAM", "RAM is the fast memory of a computer. A model must fit into it to run well."),
    ("a CPU|the CPU|CPUs", "The CPU is the main processor of a computer. It can run small models well."),
    (
        "a GPU|GPUs|the GPU",
        "A GPU is a processor that does many simple sums at the same time. It makes large models fast.",
    ),
]
