//! `llama-cli devices`.

use serde_json::Value;

use crate::program::llama;

#[test]
fn each_device_has_a_name_a_kind_memory_and_a_backend() {
    let text = llama(&["devices"]).success();
    let cpu = text.lines().find(|line| line.starts_with("CPU")).unwrap();
    assert!(cpu.contains("  CPU, ") && cpu.contains(" MiB free, ") && cpu.ends_with("(CPU)"), "{cpu}");
    let list: Value = serde_json::from_str(&llama(&["devices", "--json"]).success()).unwrap();
    for device in list.as_array().unwrap() {
        let keys: Vec<&String> = device.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["name", "description", "kind", "backend", "memory_total", "memory_free"]);
        assert!(text.lines().any(|line| line.starts_with(device["name"].as_str().unwrap())), "{text}");
    }
}
