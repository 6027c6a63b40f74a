mod schema;

use std::path::Path;

use serde_json::Value;

use super::layers::Level;
use super::places::{Surroundings, Wanted};
use super::resolve::resolve;
use super::table::rows;
use super::*;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");

fn with_file(text: &str) -> anyhow::Result<Effective> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("llama.toml"), text).unwrap();
    let around = Surroundings { folder: folder.path().to_owned(), ..Surroundings::default() };
    resolve(&around, &Wanted::default(), Level::default())
}

fn generated(name: &str, text: &str) {
    let path = Path::new(CONFIG).join(name);
    let checked_in = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(checked_in == text, "{name} is not what `llama-cli config schema [--defaults]` prints");
}

#[test]
fn the_checked_in_defaults_and_schema_are_what_the_program_prints() {
    generated("llama.toml", &document::defaults());
    generated("llama.schema.json", &(serde_json::to_string_pretty(&document::schema()).unwrap() + "\n"));
}

#[test]
fn the_documented_defaults_set_nothing_and_are_the_defaults_when_they_are_set() {
    assert_eq!(with_file(&document::defaults()).unwrap().settings, Settings::default());
    // Every value with a default, without its #.
    let mut text = String::new();
    let mut count = 0;
    for (group, ..) in table::GROUPS {
        text.push_str(&format!("[{group}]\n"));
        for row in rows().filter(|row| row.group() == group) {
            let value = document::default_value(row);
            let name = row.key.split_once('.').unwrap().1;
            let line = format!("{name} = {}\n", document::toml(&value));
            if !value.is_null() {
                assert!(document::defaults().contains(&format!("\n# {line}")), "{line}");
                text.push_str(&line);
                count += 1;
            }
        }
    }
    let effective = with_file(&text).unwrap();
    assert_eq!((effective.settings, effective.set.len()), (Settings::default(), count));
}

#[test]
fn every_bound_of_the_table_is_good_for_the_engine() {
    for row in rows() {
        let bounds = match row.kind {
            kind::Kind::Int { min, max, .. } => [min.to_string(), max.to_string()],
            kind::Kind::Float { min, max } => [format!("{min:.9}"), format!("{max:.9}")],
            _ => continue,
        };
        for bound in bounds {
            // A small step leaves no room for what has a default that needs more.
            let wide = if row.key == "batch.step_tokens" { "" } else { "batch.step_tokens = 65536\n" };
            with_file(&format!("{wide}{} = {bound}\n", row.key)).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn layers_count_in_order_and_tell_where_they_are_from() {
    let folder = tempfile::tempdir().unwrap();
    let user = folder.path().join("user.toml");
    std::fs::write(
        &user,
        "[sampling]\ntop_k = 1\ntop_p = 0.1\nmin_p = 0.1\n[profile.p.sampling]\ntop_p = 0.2\nseed = 1\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("llama.toml"), "[sampling]\ntop_p = 0.3\n[profile.p]\nsampling.min_p = 0.3\n")
        .unwrap();
    let mut around =
        Surroundings { folder: folder.path().to_owned(), user_file: Some(user), ..Surroundings::default() };
    around.variables.insert("LLAMA_ARG_TOP_K".into(), "4".into());
    let wanted = Wanted { profile: Some("p".to_owned()), ..Wanted::default() };
    let effective = resolve(&around, &wanted, Level::default()).unwrap();
    let sampling = &effective.settings.sampling;
    assert_eq!((sampling.top_k, sampling.top_p, sampling.min_p), (4, 0.3, 0.3));
    assert_eq!(sampling.seed, llama_runtime::Seed::Fixed(1));
    let origin = |key: &str| effective.set[key].origin.to_string();
    assert_eq!(origin("sampling.top_k"), "LLAMA_ARG_TOP_K");
    assert_eq!(origin("sampling.top_p"), "llama.toml:2");
    assert_eq!(origin("sampling.min_p"), "llama.toml:4 (profile p)");
    assert_eq!(origin("sampling.seed"), "user.toml:7 (profile p)");
    assert!(effective.is_set("seed") && !effective.is_set("temperature"));
}

#[test]
fn files_in_files_are_relative_to_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("system.txt"), "Be brief.\n").unwrap();
    std::fs::write(folder.path().join("llama.toml"), "[chat]\nsystem_file = \"system.txt\"\n").unwrap();
    let around = Surroundings { folder: folder.path().to_owned(), ..Surroundings::default() };
    let effective = resolve(&around, &Wanted::default(), Level::default()).unwrap();
    assert_eq!(effective.settings.chat.system.as_deref(), Some("Be brief."));
}

#[test]
fn an_engine_for_one_person_can_be_made_and_waits_for_days() {
    for text in ["", "context.n_ctx = 0", "context.n_ctx = 512", "batch.step_tokens = 1"] {
        let config = with_file(text).unwrap().engine_config(Purpose::OnePerson);
        config.validate().unwrap();
        assert!(config.limits.slow_consumer_timeout >= DAY && config.limits.stall_timeout >= DAY);
        assert!(config.defaults.total_deadline >= DAY && config.defaults.queue_deadline >= DAY);
        assert_eq!((config.defaults.first_token_deadline, config.defaults.max_tokens), (None, None));
    }
    let trained = with_file("context.n_ctx = 0").unwrap().engine_config(Purpose::OnePerson);
    assert_eq!((trained.context.n_ctx, trained.context.ctx_for(20_000_000)), (None, 20_000_000));
}

#[test]
fn thinking_is_left_out_of_the_past_where_it_is_not_preserved() {
    let effective = with_file("reasoning = { preserve = false, effort = \"none\" }").unwrap();
    let mut message = Message::user("x");
    message.reasoning = Some("hm".to_owned());
    let request = effective.chat_request([message]);
    assert_eq!(request.messages[0].reasoning, None);
    assert_eq!((request.reasoning.enabled, request.reasoning.effort), (false, None));
}

#[test]
fn the_schema_knows_exactly_the_settings() {
    let schema = document::schema();
    for row in rows() {
        let place = row.key.split('.').fold(&schema, |place, name| &place["properties"][name]);
        assert_eq!(place["description"], Value::from(row.doc), "{}", row.key);
    }
}
