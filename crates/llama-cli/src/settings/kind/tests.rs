use serde_json::json;

use super::*;

#[test]
fn truths_are_read_as_upstream_reads_them() {
    for (text, value) in [("on", true), ("1", true), ("enabled", true), ("off", false), ("0", false), ("FALSE", false)]
    {
        assert_eq!(Kind::Switch.read(text), Ok(json!(value)), "{text}");
    }
    assert_eq!(Kind::Switch.read("yes"), Err("must be true or false".to_owned()));
}

#[test]
fn numbers_that_mean_nothing_is_chosen_become_nothing() {
    let threads = Kind::Int { min: 1, max: 512, unset: &[-1, 0] };
    assert_eq!(threads.read("-1"), Ok(Value::Null));
    assert_eq!(threads.read(" 7 "), Ok(json!(7)));
    assert_eq!(threads.read("513"), Err("must be a whole number from 1 to 512, or -1 or 0".to_owned()));
    assert!(threads.accept(json!(1.5)).is_err() && threads.accept(json!("7")).is_err());
}

#[test]
fn numbers_that_are_none_are_refused() {
    let share = Kind::Float { min: 0.0, max: 1.0 };
    for text in ["nan", "inf", "1.1", "-0.1", "", "0,5"] {
        assert!(share.read(text).is_err(), "{text}");
    }
    assert_eq!(share.read("1"), Ok(json!(1.0)));
    assert_eq!(share.accept(json!(1)), Ok(json!(1)));
}

#[test]
fn stages_have_many_names_and_letters() {
    let order = json!(["top_k", "top_p", "temperature", "typical_p"]);
    assert_eq!(Kind::Stages.read("top-k;nucleus;temp;typ"), Ok(order.clone()));
    assert_eq!(Kind::StageLetters.read("kpty"), Ok(order));
    assert_eq!(Kind::Stages.read(""), Ok(json!([])));
    let error = Kind::Stages.read("top_k;tempature").unwrap_err();
    assert!(error.starts_with("but there is no stage \"tempature\"; did you mean temperature?"), "{error}");
    assert_eq!(Kind::StageLetters.read("kk").unwrap_err(), "but top_k is in it twice");
}

#[test]
fn biases_are_read_in_every_form_and_bans_become_infinite() {
    let read = Kind::LogitBias.read("15043+1,2-0.5,7=false,9-inf").unwrap();
    assert_eq!(read[0], json!({ "token": 15043, "bias": 1.0 }));
    assert_eq!(read[1], json!({ "token": 2, "bias": -0.5 }));
    assert_eq!(read[2], json!({ "token": 7, "bias": false }));
    let typed: Vec<llama_runtime::LogitBias> = serde_json::from_value(Kind::LogitBias.typed(read)).unwrap();
    assert_eq!((typed[2].bias, typed[3].bias), (f32::NEG_INFINITY, f32::NEG_INFINITY));
    for bad in ["x", "+1", "5", "5+", "5+x", "-5+1", "5+inf"] {
        assert!(Kind::LogitBias.read(bad).is_err(), "{bad}");
    }
}

#[test]
fn adapters_and_metadata_are_taken_apart() {
    let adapters = Kind::ScaledAdapters.read("a.gguf:0.5,C:\\b.gguf:2").unwrap();
    assert_eq!(adapters[1], json!({ "path": "C:\\b.gguf", "scale": 2.0 }));
    assert_eq!(Kind::Adapters.accept(json!([{ "path": "a" }, "b"])).unwrap()[1], json!({ "path": "b", "scale": 1.0 }));
    let overrides = Kind::Overrides.read("a.b=int:5,c=bool:on,d=str:x:y").unwrap();
    assert_eq!(overrides, json!({ "a.b": 5, "c": true, "d": "x:y" }));
    assert!(Kind::Overrides.read("a=number:5").is_err());
}

#[test]
fn texts_of_a_command_line_may_have_escapes() {
    assert_eq!(Kind::Texts.read(r"a\n\x41\q\\"), Ok(json!(["a\nA\\q\\"])));
    assert_eq!(Kind::Breakers.read("none"), Ok(json!([])));
    assert!(Kind::Texts.read(r"\xff").is_err());
}

#[test]
fn sizes_are_mib_on_a_command_line_and_bytes_in_a_file() {
    assert_eq!(Kind::Size.read("64"), Ok(json!("64MiB")));
    assert_eq!(Kind::Size.accept(json!(64)), Ok(json!("64B")));
    assert_eq!(Kind::Size.accept(json!("2GB")), Ok(json!("2GB")));
    assert!(Kind::Size.read("much").is_err());
}
