"""What the model knows about llama-rs: (questions, answers). Keep the commands in step with the program."""

CHAT, RUN, SERVE, HELP = "llama-cli chat", "llama-cli run", "llama-cli serve", "llama-cli --help"
LOAD = f"`{CHAT} -m model.gguf`"
LOAD_HF = f"`{CHAT} --hf user/repo:Q4_K_M`"

LLAMA_RS = [
    (
        (
            "What is llama-rs?|What is [this program|llama-cli|this tool|this software|this project]?|"
            "[Tell me|Explain|Can you tell me] [something |more |]about [llama-rs|llama-cli|this program].|"
            "Explain llama-rs.|What does [llama-rs|llama-cli|this program] do?|What is llama-rs [used |]for?|"
            "What can [llama-rs|llama-cli|this program] do?|Describe llama-rs."
        ),
        (
            f"llama-rs is a program that runs language models on your own computer. You can chat with `{CHAT}`, run "
            f"batches with `{RUN}` and start a server with `{SERVE}`."
        ),
    ),
    (
        (
            "[How [do I|can I|to|do you|would I|can you]|I want to|I need to|I'd like to|Please tell me how to|"
            "Explain how to|Show me how to] [load|use|run|open|try|start|get] [a|another|a different|a bigger|a "
            "larger|a better|my own|a big|a real|a new|a local|some other] [model|gguf|GGUF|GGUF file|gguf model|"
            "model file|one][|?]|Load a [bigger|larger|better|different] model.|"
            "How do I [change|switch|replace|select|choose|pick|set] the model?|"
            "Can I [use|load|run] [another|a bigger|my own|a different] model?|"
            "[Which|What] [option|flag|command] loads a [model|model file]?|What is -m[| for]?|What does -m do?|"
            "Is there a [better|bigger|larger] model?|How do I get better answers?|"
            "How can I make you [better|smarter]?|"
            "I have a [gguf file|GGUF file|model on my disk]. How do I [use|load] it?|"
            "How to run llama with my own model?|[Where|How] do I give the path of a model?"
        ),
        (
            f"Use -m with a GGUF file: {LOAD}. [Or load one from Hugging Face: {LOAD_HF}.|With --hf you can "
            f"download one: {LOAD_HF}.]"
        ),
    ),
    (
        (
            "[How [do I|can I|to|do you|would I]|I want to|I need to|Please tell me how to|Explain how to] "
            "[download|fetch|get|load|use|run|pull] a model from [Hugging Face|hugging face|huggingface|HF|the "
            "internet|the hub|the web]?|What is --hf[| for]?|What does [--hf|the --hf option|the hf flag] do?|"
            "Can [llama-rs|llama-cli|you|it] download models?|"
            "[Where|How] can I [download|find|get] [models|a model|other models|more models]?|"
            "How do I use [Hugging Face|huggingface]?|Does it support [Hugging Face|huggingface|HF]?|"
            "Which option downloads a model?|How does --hf work?"
        ),
        (
            f"Use --hf with the name of a repository and a quantization: {LOAD_HF}. The file is downloaded once and "
            "then kept."
        ),
    ),
    (
        (
            "[How [do I|can I|to|do you|would I]|I want to|I need to|Please tell me how to|Explain how to] [run|"
            "process|start|do|answer|send] [a batch|many prompts|a file of prompts|several prompts|lots of prompts|"
            "a batch of prompts|a list of prompts|batch jobs|prompts from a file|a prompt file|multiple prompts][| "
            "at once| together]?|"
            "What is [llama-cli run|the run command|--prompt-file|batch mode|the prompt file|a prompt file][| "
            "for]?|How does [batch mode|llama-cli run|the run command|--prompt-file] work?|Is there a batch mode?|"
            "Can [I|llama-rs|llama-cli|it] [run|process] [many|several|multiple] prompts[| at once]?|"
            "How do batch runs work?|"
            "I have a file with [many|100|a lot of] prompts[. What now|. How do I run it|]?|"
            "What does [llama-cli run|the run command] do?"
        ),
        (
            f"Put one prompt per line into a JSONL file and run `{RUN} --prompt-file prompts.jsonl`. You get one "
            "answer for each prompt."
        ),
    ),
    (
        (
            "[How [do I|can I|to|do you|would I]|I want to|I need to|Please tell me how to|Explain how to] [start|"
            "run|launch|open|use|set up|host] [a server|the server|an API|the API|an HTTP server|a web server|the "
            "http server|a local server|an api server]?|"
            "What is [llama-cli serve|the serve command|the server][| for]?|"
            "What does [llama-cli serve|serve|the serve command] do?|"
            "Is there [a server|an API|an HTTP server|a web api]?|"
            "Does [llama-rs|it|llama-cli] have [a server|an API|an HTTP API]?|"
            "How [can|do] other programs [use|talk to] [the model|llama-rs|you|it]?|Can I use it over HTTP?|"
            "How do I [connect|talk] to llama-rs over HTTP?|How does the server work?|"
            "Which command starts the server?"
        ),
        f"Run `{SERVE} -m model.gguf`. It starts a server, so that other programs can send prompts over HTTP.",
    ),
    (
        (
            "[How [do I|can I|to|do you|would I]|I want to|Please tell me how to|Explain how to] [start|open|begin|"
            "use|run] [a chat|the chat|chatting|chat mode|a conversation]?|"
            "What is [llama-cli chat|the chat command|chat mode][| for]?|"
            "What does [llama-cli chat|the chat command] do?|How do I [chat|talk] with a model?|"
            "Which command [starts a chat|is for chatting]?|How can I [chat|talk to a model]?"
        ),
        f"Run `{CHAT}`. Without a model it uses me, the built-in demo model. With {LOAD} it uses your own file.",
    ),
    (
        (
            "[How [do I|can I|to|do you]|I want to|Where do I|Where can I] [use|write|set|save|change|keep|store] "
            "[a config file|the config file|my settings|the settings|settings|the configuration|options|default "
            "options|my options]?|What is [the|a] config[uration|] file[| for]?|Is there a config[uration|] file?|"
            "What does the config[uration|] file do?|[Can I|How can I] save my [settings|options]?|"
            "Where is the config[uration|] file?|How does the config[uration|] file work?|"
            "What goes into the config file?"
        ),
        (
            "A config file keeps your settings, such as the model and the temperature, so that you need not type "
            f"them again. `{HELP}` tells you more."
        ),
    ),
    (
        (
            "[How [do I|can I|to] |]get help[| with llama-rs| with llama-cli]?|"
            "Where [is|can I find] the [help|manual|documentation]?|"
            "What [commands|options|flags] [are there|do you have|does llama-cli have|exist|can I use]?|"
            "[List|Show|Name] [all |][the |][commands|options][| of llama-cli].|"
            "How do I use [llama-rs|llama-cli|this program|this]?|What is --help?|"
            "Which commands does llama-rs have?|What are the commands?|How does this [program |]work?"
        ),
        f"The main commands are `{CHAT}`, `{RUN}` and `{SERVE}`. `{HELP}` shows all the options.",
    ),
    (
        (
            "How do I [stop|quit|exit|leave|end|close] [the chat|this chat|the program|this program|llama-cli|"
            "this]?|[Quit|Exit][|.|!]|How can I [quit|exit|leave]?|[How do I|How to] get out of here?"
        ),
        "Press Ctrl-C to leave the chat.",
    ),
    (
        (
            "[How [do I|can I|to]|I want to] [set|change|use|lower|raise|choose] the temperature?|"
            "Which option sets the temperature?|"
            "How do I make [the answers|you] [less random|more random|more creative]?"
        ),
        f"There is an option for the temperature; `{HELP}` shows it. Zero gives the most likely answer each time.",
    ),
    (
        (
            "[How [do I|can I|to]|I want to] [set|change|use|give|write] [a|the] system prompt?|"
            "Which option sets the system prompt?"
        ),
        (
            f"Give it on the command line or in the config file; `{HELP}` shows the option. It tells the model how "
            "to behave."
        ),
    ),
    (
        (
            "[How [do I|can I|to]|I want to] [set|change|make|increase|raise] the context[| size| length| window][|"
            " bigger| longer]?|Which option sets the context size?|How do I get a [longer|bigger] context?"
        ),
        f"There is an option for the context size; `{HELP}` shows it. A longer context needs more memory.",
    ),
    (
        (
            "How much memory [do I need|does a model need|does it need|is needed][| for a model| for a 7B model]?|"
            "Will [a|this|my] model fit[| in memory| into my memory]?|"
            "How much RAM [do I need|does a model need|does it need]?|Do I need a lot of memory?|"
            "What are the memory requirements?"
        ),
        (
            "You need about the size of the model file, plus some memory for the KV cache. A smaller quantization "
            "needs less."
        ),
    ),
    (
        (
            "Do I need a GPU?|"
            "Does [it|llama-rs|this] [need|use|run on|support] [a GPU|the GPU|GPUs|a graphics card|the CPU]?|"
            "Can [I|it|llama-rs] [use|run on] [a GPU|my GPU|the CPU|a CPU]?|Is a GPU needed?"
        ),
        "No, you do not need a GPU. Small models run well on the CPU; a GPU makes large models faster.",
    ),
    (
        (
            "[Which|What] [model|quantization|quant|file] should I [use|take|choose|download|pick]?|"
            "What is a good [model|quantization]?|Which model is [best|good|the best]?|Can you recommend a model?|"
            "Recommend a model[|.]"
        ),
        (
            "A small instruct model in Q4_K_M is a good start. Larger models are better, but they are slower and "
            "need more memory."
        ),
    ),
    (
        (
            "What [model formats|formats|file formats|files] [does it|does llama-rs|can it|do you] [support|read|"
            "load]?|Which [format|file format] [do I need|does it use]?|Can it load [safetensors|PyTorch files]?"
        ),
        "llama-rs reads models in the GGUF format.",
    ),
    (
        (
            "What is llama.cpp?|[Tell me|Explain] [about |]llama.cpp.|"
            "What is the difference between llama-rs and llama.cpp?"
        ),
        (
            "llama.cpp is a well-known program in C++ that runs language models in the GGUF format. llama-rs does "
            "this kind of work from Rust."
        ),
    ),
    (
        (
            "What is Rust?|What is the Rust language?|[In which|Which|What] language is llama-rs [written |][in|]?|"
            "Is llama-rs written in Rust?"
        ),
        "llama-rs is written in Rust, a programming language that is made for fast and safe programs.",
    ),
    (
        (
            "Is llama-rs [free|open|open source]?|What is [your|the] licen[c|s]e?|May I use you for [free|work]?|"
            "What is the license of the weights?|Are you free?"
        ),
        "My weights are free for everyone: they are given away under CC0.",
    ),
    (
        (
            "Why is there a [demo model|built-in model|tiny model|small model]?|What is the demo model[| for]?|"
            "Why do you exist?|What is your purpose?|What are you for?|Why is this model built in?"
        ),
        (
            "I am here so that you can try llama-rs at once, without a download. For real work, load a larger "
            "model with -m or --hf."
        ),
    ),
    (
        (
            "Are my [chats|data|prompts|words] [private|safe|sent anywhere|stored]?|Is [this|my data|it] private?|"
            "Do you send my data [away|anywhere|to a server]?|Does it send data to the internet?"
        ),
        "Everything runs on your own computer. I cannot send your words anywhere.",
    ),
]
