//! Templates that would hang, eat all memory or crash without the limits. Each must come back with a typed error.

use llama_core::chat::{ChatError, ChatRequest, ChatTemplate, Message};
use std::time::{Duration, Instant};

fn outcome(source: &str) -> Result<String, ChatError> {
    let request = ChatRequest::new([Message::user("Hi")]);
    Ok(ChatTemplate::from_source(source, "", "")?.render(&request)?.prompt)
}

fn is_refused(source: &str) {
    let shown: String = source.chars().take(120).collect();
    let start = Instant::now();
    match outcome(source) {
        Err(ChatError::Limit { reason }) => assert!(!reason.is_empty()),
        other => panic!("{shown}: {:?}", other.map(|prompt| prompt.len())),
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{shown} took {:?}", start.elapsed());
}

#[test]
fn endless_loops_are_refused() {
    is_refused("{% for i in range(1000000000) %}x{% endfor %}");
    is_refused("{% for i in range(0, 9223372036854775807, 1) %}x{% endfor %}");
    is_refused("{% for a in range(9000) %}{% for b in range(9000) %}{% set x = 1 %}{% endfor %}{% endfor %}");
    is_refused("{% for a in range(9000) %}{% for b in range(9000) if b > 9000 %}x{% endfor %}{% endfor %}");
    is_refused("{% set r = range %}{% for i in r(1000000000) %}x{% endfor %}");
}

#[test]
fn endless_recursion_is_refused() {
    is_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
    is_refused("{% macro f(g) %}{{ g(g) }}{% endmacro %}{{ f(f) }}");
    is_refused("{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}");
    is_refused("{% macro f() %}{% call f() %}x{% endcall %}{% endmacro %}{{ f() }}");
}

#[test]
fn texts_without_end_are_refused() {
    is_refused("{{ 'x' * 1000000000 }}");
    is_refused("{{ 9223372036854775807 * 'x' }}");
    is_refused(
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    );
    is_refused("{% set ns = namespace(s=['x']) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}");
    is_refused("{% set s = 'x' * 100000 %}{{ s.replace('x', s) }}");
    is_refused("{% set s = 'x\\n' * 100000 %}{{ s | indent(1000000) }}");
    is_refused("{% filter indent(1000000000) %}a\nb{% endfilter %}");
    is_refused("{{ messages | tojson(indent=1000000000) }}");
    is_refused("{% set s = 'x' * 100000 %}{{ range(100000) | join(s) }}");
}

#[test]
fn values_that_hold_themselves_are_refused() {
    is_refused("{% set ns = namespace(a=1) %}{% set ns.a = ns %}{{ ns | tojson }}");
    is_refused("{% set l = [] %}{% set x = l.append(l) %}{{ l }}");
    is_refused("{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}");
    is_refused(
        "{% set ns = namespace(a=['x']) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}",
    );
    is_refused("{% macro f(x, n) %}{{ f([x, x], n) if n else x }}{% endmacro %}{{ f([], 1) }}");
}

#[test]
fn traps_of_the_processor_are_refused() {
    is_refused("{{ 1 is divisibleby(0) }}");
    is_refused("{{ 1 is divisibleby 0 }}");
    is_refused("{{ [1] | select('divisibleby', 0) | list }}");
    is_refused("{{ [{'a': 1}] | selectattr('a', 'divisibleby', 0) | list }}");
    is_refused("{{ 'abc'[::9223372036854775807] }}");
}

#[test]
fn sources_that_nest_too_deep_are_refused() {
    for deep in [
        format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{{{{ {}{} }}}}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(9_000)),
        format!("{{{{ 1{} }}}}", " + 1".repeat(4_000)),
        format!("{{{{ x{} }}}}", ".a".repeat(4_000)),
        format!("{{{{ x{} }}}}", "()".repeat(3_000)),
        format!("{{{{ x{} }}}}", "|trim".repeat(4_000)),
        format!("{}{}", "{% if true %}".repeat(4_000), "{% endif %}".repeat(4_000)),
        format!("{}{}", "{% for x in [1] %}".repeat(4_000), "{% endfor %}".repeat(4_000)),
        format!("{{% if false %}}{}{{% endif %}}", "{% elif false %}".repeat(9_000)),
        format!("{{{{ {} }}}}", "1 if x else ".repeat(3_000) + "1"),
        format!("{{{{ {}1 }}}}", "(".repeat(500_000)),
        "{% if true %}".repeat(500_000 / 13),
        "x".repeat(2 * 1024 * 1024),
    ] {
        is_refused(&deep);
    }
}

#[test]
fn what_real_templates_do_stays_allowed() {
    let fine = "{% macro show(v, depth) %}{% if v is mapping %}{ {%- for k, w in v | items %}{{ k }}: {{ show(w, depth + 1) }}\
        {%- endfor %} }{% else %}{{ v | tojson }}{% endif %}{% endmacro %}\
        {% set ns = namespace(n=0, seen=[]) %}\
        {% for i in range(2000) %}{% set ns.n = ns.n + 1 %}{% set ns.seen = ns.seen + [i] %}{% endfor %}\
        {{ ns.n }} {{ '-' * 80 }} {{ 10 is divisibleby(5) }} {{ show({'a': {'b': [1, 2]}}, 0) }} \
        {{ messages[::-1][0].content }} {{ ['a', 'b'] | join(', ') }} {{ 'a\nb' | indent(4) }}";
    let prompt = outcome(fine).unwrap();
    assert!(prompt.starts_with(&format!("2000 {} True", "-".repeat(80))), "{prompt}");
    assert!(prompt.ends_with("Hi a, b a\n    b"), "{prompt}");
}

#[test]
fn long_conversations_stay_allowed() {
    let template = ChatTemplate::chatml().unwrap();
    let messages =
        (0..5_000).map(|i| if i % 2 == 0 { Message::user("question") } else { Message::assistant("answer") });
    let prompt = template.render(&ChatRequest::new(messages)).unwrap().prompt;
    assert_eq!(prompt.matches("<|im_start|>").count(), 5_001);
}
