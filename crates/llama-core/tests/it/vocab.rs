//! Text to tokens and back.

use crate::setup::{bert, demo, llama, spm};
use llama_core::{AddSpecial, Model, ModelParams, Specials, Token, TokenizeError, VocabKind};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::models;
use llama_testkit::random::Random;
use llama_testkit::vocab::Vocab;

const TEXTS: [&str; 8] = [
    "Hello world",
    "",
    " ",
    "  two  spaces\n\nand\ttabs ",
    "Grüße, Жизнь, 世界, 🦙👩‍👩‍👧",
    "a\0b",
    "1234567890 !?#%&/()=",
    "<|im_start|>user\nHi<|im_end|>",
];

/// Text of random characters, from all planes of Unicode.
fn random_text(random: &mut Random) -> String {
    (0..random.below(40))
        .filter_map(|_| {
            let bound = [0x80, 0x800, 0x1_0000, 0x11_0000][random.below(4) as usize];
            char::from_u32(u32::try_from(random.below(bound)).unwrap())
        })
        .collect()
}

#[test]
fn byte_level_tokens_give_back_every_text() {
    let mut random = Random::new(1);
    let texts: Vec<String> =
        TEXTS.iter().map(|text| (*text).to_owned()).chain((0..300).map(|_| random_text(&mut random))).collect();
    for model in [llama(), demo()] {
        let vocab = model.vocab();
        for text in &texts {
            let tokens = vocab.tokenize_with(text, Specials::AsText, AddSpecial::Never).unwrap();
            let pieces: Vec<u8> = tokens.iter().flat_map(|&t| vocab.piece(t, Specials::Parse).unwrap()).collect();
            assert_eq!(pieces, text.as_bytes());
            assert_eq!(vocab.tokenize_bytes(text.as_bytes(), Specials::AsText, AddSpecial::Never).unwrap(), tokens);
        }
    }
}

#[test]
fn detokenizing_a_run_is_putting_its_pieces_together() {
    for model in [llama(), demo()] {
        for text in ["Hello world", "", "  two  spaces\n\nand\ttabs ", "Grüße, Жизнь, 世界, 🦙👩‍👩‍👧", "a\0b"]
        {
            let tokens = model.vocab().tokenize_with(text, Specials::AsText, AddSpecial::Never).unwrap();
            assert_eq!(model.vocab().detokenize(&tokens, Specials::Parse).unwrap(), text);
        }
    }
}

#[test]
fn a_word_too_long_for_any_stack_is_an_error() {
    let mut file = models::vocab_only(&Vocab::bpe());
    file.set("tokenizer.ggml.pre", "tekken");
    let folder = TempModels::new().unwrap();
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let model = Model::load(folder.write("tekken.gguf", &file).unwrap(), params).unwrap();
    let text = "a".repeat(600_000);
    let result = model.vocab().tokenize(&text, Specials::AsText);
    assert_eq!(result, Err(TokenizeError::TooLong { bytes: text.len() }));
}

#[test]
fn sentencepiece_gives_back_every_text() {
    let mut random = Random::new(2);
    let vocab = spm().vocab();
    for text in (0..300).map(|_| random_text(&mut random)) {
        let tokens = vocab.tokenize_with(&text, Specials::AsText, AddSpecial::Never).unwrap();
        let pieces: Vec<u8> = tokens.iter().flat_map(|&t| vocab.piece(t, Specials::Parse).unwrap()).collect();
        let found = String::from_utf8(pieces).unwrap();
        assert!(found == text || found.strip_prefix(' ') == Some(&text), "{text:?} became {found:?}");
    }
}

#[test]
fn kinds_are_told_apart() {
    assert_eq!(llama().vocab().kind(), VocabKind::Bpe);
    assert_eq!(spm().vocab().kind(), VocabKind::Spm);
    assert_eq!(bert().vocab().kind(), VocabKind::Wpm);
    assert_eq!((llama().vocab().len(), spm().vocab().len()), (320, 406));
    assert!(!llama().vocab().is_empty());
}

#[test]
fn special_tokens_are_parsed_only_on_request() {
    let vocab = llama().vocab();
    assert_eq!(vocab.tokenize("<|im_start|>", Specials::Parse).unwrap(), [Token(1)]);
    let plain = vocab.tokenize("<|im_start|>", Specials::AsText).unwrap();
    assert!(plain.len() > 1 && !plain.contains(&Token(1)));
    assert_eq!(vocab.detokenize(&plain, Specials::AsText).unwrap(), "<|im_start|>");
    assert_eq!(vocab.piece(Token(1), Specials::Parse).unwrap(), b"<|im_start|>");
    assert_eq!(vocab.piece(Token(1), Specials::AsText).unwrap(), b"");
}

#[test]
fn what_the_model_wants_around_a_text_is_added() {
    let vocab = spm().vocab();
    assert!(vocab.adds_bos() && !vocab.adds_eos());
    let (with, without) = (
        vocab.tokenize("Hello", Specials::Parse).unwrap(),
        vocab.tokenize_with("Hello", Specials::Parse, AddSpecial::Never).unwrap(),
    );
    assert_eq!(with[0], vocab.bos().unwrap());
    assert_eq!(with[1..], without);
    let vocab = bert().vocab();
    let tokens = vocab.tokenize("hello cat", Specials::Parse).unwrap();
    assert_eq!((tokens[0], *tokens.last().unwrap()), (Token(2), Token(3)));
    assert_eq!(vocab.sep(), Some(Token(3)));
    assert_eq!(vocab.mask(), Some(Token(4)));
}

#[test]
fn special_tokens_are_those_of_the_file() {
    let vocab = llama().vocab();
    assert_eq!(
        (vocab.bos(), vocab.eos(), vocab.eot(), vocab.pad()),
        (Some(Token(0)), Some(Token(2)), Some(Token(2)), Some(Token(0)))
    );
    let fim = (vocab.fim_prefix(), vocab.fim_suffix(), vocab.fim_middle());
    assert_eq!(fim, (Some(Token(3)), Some(Token(5)), Some(Token(4))));
    assert!(vocab.is_eog(Token(2)) && !vocab.is_eog(Token(50)));
    assert!(vocab.is_control(Token(1)) && !vocab.is_control(Token(50)));
}

#[test]
fn a_token_outside_the_vocabulary_is_an_error() {
    for model in [llama(), spm(), bert()] {
        let vocab = model.vocab();
        let n_vocab = model.facts().n_vocab;
        for id in [-1, i32::MIN, i32::MAX, i32::try_from(n_vocab).unwrap()] {
            let token = Token(id);
            let error = TokenizeError::OutOfRange { token, n_vocab };
            assert_eq!(vocab.piece(token, Specials::Parse), Err(error.clone()));
            assert_eq!(vocab.detokenize(&[Token(20), token], Specials::Parse), Err(error));
            assert!(!vocab.is_eog(token) && !vocab.is_control(token) && !vocab.contains(token));
        }
    }
}

#[test]
fn invalid_utf8_is_an_error_that_says_where() {
    for (bytes, at) in [(&b"ab\xff"[..], 2), (b"\xf0\x9f\xa6", 0), (b"x\xed\xa0\x80", 1), (b"\xc0\x80", 0)] {
        for model in [llama(), spm(), bert(), demo()] {
            let result = model.vocab().tokenize_bytes(bytes, Specials::Parse, AddSpecial::AsModelWants);
            assert_eq!(result, Err(TokenizeError::InvalidUtf8 { at }));
        }
    }
}

#[test]
fn every_token_has_a_piece_and_half_characters_become_replacement_marks() {
    for model in [llama(), spm(), bert(), demo()] {
        let vocab = model.vocab();
        for id in 0..i32::try_from(vocab.len()).unwrap() {
            vocab.piece(Token(id), Specials::Parse).unwrap();
            vocab.detokenize(&[Token(id)], Specials::AsText).unwrap();
        }
    }
    let byte = |b: u8| Token(12 + i32::from(b));
    assert_eq!(llama().vocab().piece(byte(0xf0), Specials::Parse).unwrap(), [0xf0]);
    assert_eq!(llama().vocab().detokenize(&[byte(0xf0)], Specials::Parse).unwrap(), "\u{fffd}");
    assert_eq!(llama().vocab().detokenize(&[], Specials::Parse).unwrap(), "");
}

#[test]
fn a_long_text_is_tokenised_on_a_small_stack() {
    // One word of this many letters is what a regular expression that recurses for each letter cannot take.
    for text in ["a".repeat(100_000), " ".repeat(50_000), "1".repeat(50_000), "é".repeat(50_000)] {
        for model in [llama(), spm(), demo(), bert()] {
            let vocab = model.vocab();
            let tokens = vocab.tokenize_with(&text, Specials::AsText, AddSpecial::Never).unwrap();
            if vocab.kind() == VocabKind::Bpe {
                assert_eq!(vocab.detokenize(&tokens, Specials::Parse).unwrap(), text);
            }
        }
    }
}

#[test]
fn a_long_text_is_tokenised_with_every_pre_tokenizer() {
    let names = [
        "default",
        "llama3",
        "deepseek-llm",
        "deepseek-coder",
        "deepseek-v3",
        "falcon",
        "mpt",
        "starcoder",
        "refact",
        "command-r",
        "qwen2",
        "stablelm2",
        "olmo",
        "dbrx",
        "smaug-bpe",
        "poro-chat",
        "chatglm-bpe",
        "viking",
        "jais",
        "tekken",
        "smollm",
        "codeshell",
        "bloom",
        "gpt3-finnish",
        "exaone",
        "gpt-4o",
        "superbpe",
        "trillion",
        "granite-docling",
        "bailingmoe",
        "seed-coder",
        "hunyuan",
        "kimi-k2",
        "minerva-7b",
        "grok-2",
        "gemma4",
    ];
    let folder = TempModels::new().unwrap();
    let text = "a".repeat(20_000);
    for name in names {
        let mut file = models::vocab_only(&Vocab::bpe());
        file.set("tokenizer.ggml.pre", name);
        let path = folder.write(&format!("{name}.gguf"), &file).unwrap();
        let mut params = ModelParams::default();
        params.vocab_only = true;
        // A pre-tokenizer that this llama.cpp does not know is an error of the load.
        let Ok(model) = Model::load(path, params) else { continue };
        let tokens = model.vocab().tokenize_with(&text, Specials::AsText, AddSpecial::Never);
        match tokens {
            Ok(tokens) => assert_eq!(model.vocab().detokenize(&tokens, Specials::Parse).unwrap(), text, "{name}"),
            Err(error) => assert!(matches!(error, TokenizeError::Internal { .. }), "{name}: {error}"),
        }
    }
}

#[test]
fn threads_tokenise_at_the_same_time() {
    let expected = demo().vocab().tokenize(TEXTS[4], Specials::Parse).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(demo().vocab().tokenize(TEXTS[4], Specials::Parse).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn a_vocabulary_smaller_than_upstreams_default_ids_is_no_danger() {
    // Upstream assumes special tokens at fixed ids where the file names none.
    let folder = TempModels::new().unwrap();
    for (name, mut vocab) in [("bpe", Vocab::bpe()), ("spm", Vocab::spm()), ("wpm", Vocab::wpm())] {
        for n in [1, 2, 4] {
            vocab.tokens.truncate(n);
            vocab.merges.clear();
            vocab.special_ids.clear();
            let path = folder.write(&format!("{name}-{n}.gguf"), &models::vocab_only(&vocab)).unwrap();
            let mut params = ModelParams::default();
            params.vocab_only = true;
            let Ok(model) = Model::load(path, params) else { continue };
            // Any answer will do, if there is one.
            let _ = model.vocab().tokenize("ab", Specials::Parse);
            let _ = model.vocab().tokenize_with("<s>", Specials::Parse, AddSpecial::Never);
            assert!(model.vocab().bos().is_none_or(|bos| model.vocab().contains(bos)), "{name} {n}");
        }
    }
}

#[test]
fn vocabularies_alone_are_those_of_the_models() {
    let mut params = ModelParams::default();
    params.vocab_only = true;
    for (path, model) in
        [(fixtures::vocab_bpe(), llama()), (fixtures::vocab_spm(), spm()), (fixtures::vocab_wpm(), bert())]
    {
        let alone = Model::load(path, params.clone()).unwrap();
        for text in TEXTS {
            let tokens = |model: &Model| model.vocab().tokenize(text, Specials::Parse).unwrap();
            assert_eq!(tokens(&alone), tokens(model), "{text:?}");
        }
    }
}
