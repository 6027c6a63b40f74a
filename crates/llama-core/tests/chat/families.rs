//! The families: a template written by us in each family's wire format, and what a model of that family writes.
//!
//! One file although it is long, because it is one table: an entry is checked by comparing it with its neighbours.

use llama_core::chat::{ChatRequest, ChatTemplate, Message, Reasoning, Tool, ToolCall};
use serde_json::{Value, json};

/// What a model writes, and what it means.
pub struct Answer {
    pub text: &'static str,
    pub content: &'static str,
    pub reasoning: &'static str,
    /// Names, and arguments as JSON.
    pub calls: &'static [(&'static str, &'static str)],
}

/// One template and the behaviour that is expected of it.
pub struct Family {
    pub name: &'static str,
    pub source: &'static str,
    /// Parts of the prompt, in this order.
    pub framing: &'static [&'static str],
    /// Id of the call in the conversation: some families prescribe the shape.
    pub call_id: &'static str,
    pub answers: &'static [Answer],
}

impl Family {
    pub fn template(&self) -> ChatTemplate {
        ChatTemplate::from_source(self.source, "<bos>", "</s>").unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// System, user, a thoughtful call, its result, and a next question.
    pub fn conversation(&self) -> ChatRequest {
        let call = ToolCall::new(self.call_id, "get_weather", r#"{"location": {"city": "Oslo"}, "days": 2}"#);
        ChatRequest::new([
            Message::system("You are terse."),
            Message::user("What is the weather in Oslo?"),
            Message::assistant("").with_reasoning("They ask about Oslo.").with_tool_calls([call.clone()]),
            Message::tool_result(&call, r#"{"celsius": -3}"#),
            Message::assistant("Three below."),
            Message::user("And in Zürich?"),
        ])
        .tools(tools())
        .parallel_tool_calls(true)
        .reasoning(Reasoning::default())
        .at(1_700_000_000)
    }
}

pub fn tools() -> Vec<Tool> {
    let weather = json!({
        "type": "object",
        "properties": {
            "location": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
                "required": ["city"],
            },
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
        },
        "required": ["location", "days"],
    });
    let search = json!({
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "exact": {"type": "boolean"},
        },
        "required": ["query"],
    });
    vec![
        Tool::new("get_weather", "The weather of the next days.", weather),
        Tool::new("search", "Searches the archive.", search),
    ]
}

pub fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

const WEATHER: (&str, &str) = ("get_weather", r#"{"location": {"city": "Zürich", "country": "CH"}, "days": 3}"#);
const SEARCH: (&str, &str) = ("search", r#"{"query": "snow \"fresh\" 雪 <b>", "tags": ["a", "b"]}"#);

pub const FAMILIES: &[Family] = &[
    Family {
        name: "hermes",
        source: include_str!("../templates/hermes.jinja"),
        framing: &[
            "<|im_start|>system\nYou are terse.",
            "<tools>\n{\"type\": \"function\"",
            "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Oslo\"}, \"days\": 2}}\n</tool_call><|im_end|>",
            "<tool_response>\n{\"celsius\": -3}\n</tool_response>",
            "Zürich?<|im_end|>\n<|im_start|>assistant\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer {
                text: "Just words, {and} [brackets] < here.",
                content: "Just words, {and} [brackets] < here.",
                reasoning: "",
                calls: &[],
            },
            Answer {
                text: "One moment.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}}\n</tool_call>\n<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}\n</tool_call>",
                content: "One moment.\n",
                reasoning: "",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "qwen3",
        source: include_str!("../templates/qwen3.jinja"),
        framing: &[
            "<|im_start|>system\nYou are terse.",
            "<|im_start|>assistant\n<think>\nThey ask about Oslo.\n</think>\n\n<tool_call>\n{\"name\": \"get_weather\"",
            "<tool_response>\n{\"celsius\": -3}",
            "Zürich?<|im_end|>\n<|im_start|>assistant\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer {
                text: "<think>\nEasy: 1 < 2.\n</think>\n\nYes.",
                content: "Yes.",
                reasoning: "Easy: 1 < 2.\n",
                calls: &[],
            },
            Answer {
                text: "<think>\nI need é both.\n</think>\n\nLooking.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}}\n</tool_call>\n<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}\n</tool_call>",
                content: "Looking.\n",
                reasoning: "I need é both.\n",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "qwen3_coder",
        source: include_str!("../templates/qwen3_coder.jinja"),
        framing: &[
            "<function>\n<name>get_weather</name>",
            "<tool_call>\n<function=get_weather>\n<parameter=location>\n{\"city\": \"Oslo\"}\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",
            "<tool_response>\n{\"celsius\": -3}",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "Looking.\n<tool_call>\n<function=get_weather>\n<parameter=location>\n{\"city\": \"Zürich\", \"country\": \"CH\"}\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=search>\n<parameter=query>\nsnow \"fresh\" 雪 <b>\n</parameter>\n<parameter=tags>\n[\"a\", \"b\"]\n</parameter>\n</function>\n</tool_call>",
                content: "Looking.\n",
                reasoning: "",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "llama3",
        source: include_str!("../templates/llama3.jinja"),
        framing: &[
            "<bos><|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\nToday Date: 14 Nov 2023",
            "<|start_header_id|>assistant<|end_header_id|>\n\n{\"name\": \"get_weather\", \"parameters\": {",
            "<|start_header_id|>ipython<|end_header_id|>\n\n\"{\\\"celsius\\\": -3}\"<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "{\"name\": \"search\", \"parameters\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}",
                content: "",
                reasoning: "",
                calls: &[SEARCH],
            },
        ],
    },
    Family {
        name: "mistral",
        source: include_str!("../templates/mistral.jinja"),
        framing: &[
            "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Oslo\"}, \"days\": 2}, \"id\": \"a1b2c3d4e\"}]</s>",
            "[TOOL_RESULTS]{\"content\": \"{\\\"celsius\\\": -3}\", \"call_id\": \"a1b2c3d4e\"}[/TOOL_RESULTS]",
            "[AVAILABLE_TOOLS][{",
            "[INST]You are terse.\n\nAnd in Zürich?[/INST]",
        ],
        call_id: "a1b2c3d4e",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}, \"id\": \"xyz123456\"}, {\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}, \"id\": \"xyz123457\"}]",
                content: "",
                reasoning: "",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "ministral3",
        source: include_str!("../templates/ministral3.jinja"),
        framing: &[
            "[SYSTEM_PROMPT]You are terse.[/SYSTEM_PROMPT]",
            "[THINK]They ask about Oslo.[/THINK][TOOL_CALLS]get_weather[ARGS]{\"location\"",
            "[TOOL_RESULTS]{\"celsius\": -3}[/TOOL_RESULTS]",
        ],
        call_id: "a1b2c3d4e",
        answers: &[
            Answer { text: "[THINK]Hm.[/THINK]Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "[THINK]Both.[/THINK]Looking.[TOOL_CALLS]get_weather[ARGS]{\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}[TOOL_CALLS]search[ARGS]{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "mistral_call_id",
        source: include_str!("../templates/mistral_call_id.jinja"),
        framing: &[
            "[TOOL_CALLS]get_weather[CALL_ID]a1b2c3d4e[ARGS]{",
            "[TOOL_RESULTS]a1b2c3d4e[TOOL_CONTENT]{\"celsius\": -3}",
        ],
        call_id: "a1b2c3d4e",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "Looking.[TOOL_CALLS]get_weather[CALL_ID]xyz123456[ARGS]{\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}[TOOL_CALLS]search[CALL_ID]xyz123457[ARGS]{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}",
                content: "Looking.",
                reasoning: "",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "deepseek_v3",
        source: include_str!("../templates/deepseek_v3.jinja"),
        framing: &[
            "### get_weather",
            "<｜Assistant｜><think>They ask about Oslo.</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{",
            "<｜tool▁output▁begin｜>{\"celsius\": -3}",
            "<｜User｜>And in Zürich?<｜Assistant｜><think>",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Hm.</think>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "Both.</think>Looking.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}<｜tool▁call▁end｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "deepseek_v32",
        source: include_str!("../templates/deepseek_v32.jinja"),
        framing: &[
            "<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"location\" string=\"false\">{\"city\": \"Oslo\"}</｜DSML｜parameter>",
            "<result>{\"celsius\": -3}</result>",
            "<｜Assistant｜><think>",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Hm.</think>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "Both.</think>Looking.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"location\" string=\"false\">{\"city\": \"Zürich\", \"country\": \"CH\"}</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"search\">\n<｜DSML｜parameter name=\"query\" string=\"true\">snow \"fresh\" 雪 <b></｜DSML｜parameter>\n<｜DSML｜parameter name=\"tags\" string=\"false\">[\"a\", \"b\"]</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "gpt_oss",
        source: include_str!("../templates/gpt_oss.jinja"),
        framing: &[
            "Current date: 2023-11-14",
            "type get_weather = (_: {location: {city: string, country?: string, }, days: integer, }) => any;",
            "<|start|>assistant<|channel|>analysis<|message|>They ask about Oslo.<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{",
            "<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>",
            "<|start|>assistant",
        ],
        call_id: "call_1",
        answers: &[
            Answer {
                text: "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Words.",
                content: "Words.",
                reasoning: "Hm.",
                calls: &[],
            },
            Answer {
                text: "<|channel|>analysis<|message|>Search.<|end|><|start|>assistant<|channel|>commentary<|message|>Looking.<|end|><|start|>assistant<|channel|>commentary to=functions.search <|constrain|>json<|message|>{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}",
                content: "Looking.",
                reasoning: "Search.",
                calls: &[SEARCH],
            },
        ],
    },
    Family {
        name: "gemma4",
        source: include_str!("../templates/gemma4.jinja"),
        framing: &[
            "<|turn>system\n<|think|>\nYou are terse.<|tool>declaration:get_weather{",
            "<|turn>model\n<|channel>thought\nThey ask about Oslo.\n<channel|><|tool_call>call:get_weather{location:{city:<|\"|>Oslo<|\"|>},days:2}<tool_call|>",
            "<|tool_response>response:get_weather{value:<|\"|>{\"celsius\": -3}<|\"|>}<tool_response|>",
            "<|turn>model\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "<|channel>thought\nHm.<channel|>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "<|channel>thought\nBoth.<channel|>Looking.<|tool_call>call:get_weather{location:{city:<|\"|>Zürich<|\"|>,country:<|\"|>CH<|\"|>},days:3}<tool_call|><|tool_call>call:search{query:<|\"|>snow \"fresh\" 雪 <b><|\"|>,tags:[<|\"|>a<|\"|>,<|\"|>b<|\"|>]}<tool_call|>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "phi4",
        source: include_str!("../templates/phi4.jinja"),
        framing: &[
            "<|system|>You are terse.<|tool|>[{",
            "<|assistant|><|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {",
            "<|tool_response|>{\"celsius\": -3}<|end|>",
            "<|assistant|>",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "Looking.<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}}, {\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}]<|/tool_call|>",
                content: "Looking.",
                reasoning: "",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "granite33",
        source: include_str!("../templates/granite33.jinja"),
        framing: &[
            "Write your thoughts between <think></think>",
            "<|start_of_role|>available_tools<|end_of_role|>[",
            "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {",
            "<|start_of_role|>tool_response<|end_of_role|>{\"celsius\": -3}",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Words only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "<think>Both.</think><|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}}, {\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}]",
                content: "",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "command_a",
        source: include_str!("../templates/command_a.jinja"),
        framing: &[
            "## Available Tools",
            "<|START_THINKING|>They ask about Oslo.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {",
            "<|START_TOOL_RESULT|>",
            "<|START_RESPONSE|>Three below.<|END_RESPONSE|>",
            "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        ],
        call_id: "0",
        answers: &[
            Answer {
                text: "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Words.<|END_RESPONSE|>",
                content: "Words.",
                reasoning: "Hm.",
                calls: &[],
            },
            Answer {
                text: "<|START_THINKING|>Both.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}},\n    {\"tool_call_id\": \"1\", \"tool_name\": \"search\", \"parameters\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}\n]<|END_ACTION|>",
                content: "",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "functionary32",
        source: include_str!("../templates/functionary32.jinja"),
        framing: &[
            "type get_weather = (_: {",
            "<|start_header_id|>assistant<|end_header_id|>\n\n>>>get_weather\n{",
            "<|start_header_id|>tool<|end_header_id|>\n\n{\"celsius\": -3}",
            "<|start_header_id|>assistant<|end_header_id|>\n\n>>>",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "all\nWords only.", content: "Words only.", reasoning: "", calls: &[] },
            Answer {
                text: "search\n{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}",
                content: "",
                reasoning: "",
                calls: &[SEARCH],
            },
        ],
    },
    Family {
        name: "glm4",
        source: include_str!("../templates/glm4.jinja"),
        framing: &[
            "<|assistant|>\n<think>They ask about Oslo.</think>\n<tool_call>get_weather\n<arg_key>location</arg_key>\n<arg_value>{\"city\": \"Oslo\"}</arg_value>",
            "<|observation|>\n<tool_response>\n{\"celsius\": -3}",
            "<|assistant|>",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "\n<think>Hm.</think>\nWords.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "\n<think>Both.</think>\nLooking.\n<tool_call>get_weather\n<arg_key>location</arg_key>\n<arg_value>{\"city\": \"Zürich\", \"country\": \"CH\"}</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>snow \"fresh\" 雪 <b></arg_value>\n<arg_key>tags</arg_key>\n<arg_value>[\"a\", \"b\"]</arg_value>\n</tool_call>",
                content: "Looking.\n",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "kimi_k2",
        source: include_str!("../templates/kimi_k2.jinja"),
        framing: &[
            "<|im_system|>tool_declare<|im_middle|>[{",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{",
            "## Return of functions.get_weather:0",
            "<|im_assistant|>assistant<|im_middle|>",
        ],
        call_id: "functions.get_weather:0",
        answers: &[
            Answer { text: "<think>Hm.</think>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "<think>Both.</think>Looking.<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:1<|tool_call_argument_begin|>{\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}<|tool_call_end|><|tool_call_begin|>functions.search:2<|tool_call_argument_begin|>{\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}<|tool_call_end|><|tool_calls_section_end|>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "minimax_m2",
        source: include_str!("../templates/minimax_m2.jinja"),
        framing: &[
            "]~!b[]~b]system\nYou are terse.",
            "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"location\">{\"city\": \"Oslo\"}</parameter>",
            "]~b]tool\n<response>{\"celsius\": -3}</response>",
            "]~b]ai\n<think>\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Hm.\n</think>\n\nWords.", content: "Words.", reasoning: "Hm.\n", calls: &[] },
            Answer {
                text: "Both.\n</think>\n\nLooking.\n<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"location\">{\"city\": \"Zürich\", \"country\": \"CH\"}</parameter>\n<parameter name=\"days\">3</parameter>\n</invoke>\n</minimax:tool_call>",
                content: "Looking.\n",
                reasoning: "Both.\n",
                calls: &[WEATHER],
            },
        ],
    },
    Family {
        name: "nemotron_v2",
        source: include_str!("../templates/nemotron_v2.jinja"),
        framing: &[
            "<SPECIAL_10>System\nYou are terse.",
            "<AVAILABLE_TOOLS>[{",
            "<think>\nThey ask about Oslo.\n</think>\n<TOOLCALL>[{\"name\": \"get_weather\", \"arguments\": {",
            "<TOOL_RESPONSE>[{\"celsius\": -3}]</TOOL_RESPONSE>",
            "<SPECIAL_11>Assistant\n<think>\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "Hm.</think>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "Both.</think>Looking.<TOOLCALL>[{\"name\": \"get_weather\", \"arguments\": {\"location\": {\"city\": \"Zürich\", \"country\": \"CH\"}, \"days\": 3}}, {\"name\": \"search\", \"arguments\": {\"query\": \"snow \\\"fresh\\\" 雪 <b>\", \"tags\": [\"a\", \"b\"]}}]</TOOLCALL>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
    Family {
        name: "lfm2",
        source: include_str!("../templates/lfm2.jinja"),
        framing: &[
            "List of tools: <|tool_list_start|>[{",
            "<think>They ask about Oslo.</think><|tool_call_start|>[get_weather(location={\"city\": \"Oslo\"}, days=2)]<|tool_call_end|>",
            "<|tool_response_start|>{\"celsius\": -3}<|tool_response_end|>",
            "<|im_start|>assistant\n",
        ],
        call_id: "call_1",
        answers: &[
            Answer { text: "<think>Hm.</think>Words.", content: "Words.", reasoning: "Hm.", calls: &[] },
            Answer {
                text: "<think>Both.</think>Looking.<|tool_call_start|>[get_weather(location={\"city\": \"Zürich\", \"country\": \"CH\"}, days=3), search(query=\"snow \\\"fresh\\\" 雪 <b>\", tags=[\"a\", \"b\"])]<|tool_call_end|>",
                content: "Looking.",
                reasoning: "Both.",
                calls: &[WEATHER, SEARCH],
            },
        ],
    },
];
