//! Text to tokens and back: [`Vocab`].

mod stack;

use crate::ids::Token;
use crate::model::Model;
use crate::raw::{self, Failure};
use llama_sys as ffi;

/// Whether names of special tokens in a text, such as `<|im_start|>`, become those tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Specials {
    /// They become the tokens: right for text that a chat template wrote.
    Parse,
    /// They stay plain text: right for text from a user.
    AsText,
}

/// Whether the tokens that a model wants around a text (BOS, EOS) are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddSpecial {
    /// Add what the model's metadata asks for.
    AsModelWants,
    /// Add nothing: for the continuation of a text.
    Never,
}

/// The kind of tokenizer.
#[doc(alias = "llama_vocab_type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VocabKind {
    /// The model has no vocabulary.
    None,
    /// SentencePiece with byte fallback.
    Spm,
    /// Byte-level BPE.
    Bpe,
    /// WordPiece.
    Wpm,
    /// Unigram.
    Ugm,
    /// Greedy, as RWKV.
    Rwkv,
    /// Another kind that llama.cpp knows.
    Other,
}

/// Why a text was not tokenised, or tokens not turned into text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The model has no vocabulary.
    #[error("the model has no vocabulary; load one that has a tokenizer")]
    NoVocabulary,
    /// The bytes are not UTF-8.
    #[error("the text is not valid UTF-8 at byte {at}")]
    InvalidUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The text has more bytes, or would have more tokens, than an `i32` counts; or it has half a million characters
    /// without a space, and the model's way to find words cannot take that.
    #[error("a text of {bytes} bytes is too long to tokenise in one call; split it")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The vocabulary asks for a special token that it does not have.
    #[error("the model asks for a {name} token at the edge of a text but defines none; use AddSpecial::Never")]
    MissingSpecial {
        /// Which one.
        name: &'static str,
    },
    /// A token id is outside the vocabulary.
    #[error("token {token} is not in the vocabulary of {n_vocab} tokens")]
    OutOfRange {
        /// The token.
        token: Token,
        /// The size of the vocabulary.
        n_vocab: u32,
    },
    /// llama.cpp failed; its own words.
    #[error("llama.cpp's tokenizer failed: {reason}")]
    Internal {
        /// The exception's text.
        reason: String,
    },
}

/// The vocabulary of a model. A view that borrows it; all calls are thread-safe.
#[doc(alias = "llama_vocab")]
#[derive(Clone, Copy)]
pub struct Vocab<'m> {
    model: &'m Model,
    raw: *const ffi::llama_vocab,
}

// SAFETY: the vocabulary belongs to the model, which `model` keeps alive; C only reads it (llama.h: tokenisation is
// thread-safe).
unsafe impl Send for Vocab<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for Vocab<'_> {}

impl Model {
    /// The vocabulary.
    #[doc(alias = "llama_model_get_vocab")]
    pub fn vocab(&self) -> Vocab<'_> {
        // SAFETY: the model is live.
        let raw = unsafe { ffi::llama_model_get_vocab(self.as_ptr()) };
        Vocab { model: self, raw }
    }
}

impl Vocab<'_> {
    pub(crate) fn as_ptr(&self) -> *const ffi::llama_vocab {
        self.raw
    }

    pub(super) fn pre_tokenizer(&self) -> String {
        self.model.metadata("tokenizer.ggml.pre").unwrap_or_default()
    }

    /// Number of tokens; valid ids are below it.
    #[doc(alias = "llama_vocab_n_tokens")]
    pub fn len(&self) -> usize {
        self.model.facts().n_vocab as usize
    }

    /// Whether there are no tokens at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of tokenizer.
    #[doc(alias = "llama_vocab_type")]
    pub fn kind(&self) -> VocabKind {
        // SAFETY: reads the live vocabulary.
        match unsafe { ffi::llama_vocab_type(self.raw) } {
            ffi::LLAMA_VOCAB_TYPE_NONE => VocabKind::None,
            ffi::LLAMA_VOCAB_TYPE_SPM => VocabKind::Spm,
            ffi::LLAMA_VOCAB_TYPE_BPE => VocabKind::Bpe,
            ffi::LLAMA_VOCAB_TYPE_WPM => VocabKind::Wpm,
            ffi::LLAMA_VOCAB_TYPE_UGM => VocabKind::Ugm,
            ffi::LLAMA_VOCAB_TYPE_RWKV => VocabKind::Rwkv,
            _ => VocabKind::Other,
        }
    }

    /// Tokenises a whole text, with the special tokens the model wants around it.
    ///
    /// # Errors
    ///
    /// [`TokenizeError`].
    #[doc(alias = "llama_tokenize")]
    pub fn tokenize(&self, text: &str, specials: Specials) -> Result<Vec<Token>, TokenizeError> {
        self.tokenize_with(text, specials, AddSpecial::AsModelWants)
    }

    /// As [`Vocab::tokenize`], choosing whether BOS and EOS are added.
    ///
    /// # Errors
    ///
    /// [`TokenizeError`].
    pub fn tokenize_with(&self, text: &str, specials: Specials, add: AddSpecial) -> Result<Vec<Token>, TokenizeError> {
        self.check_usable()?;
        let add_special = add == AddSpecial::AsModelWants;
        if add_special {
            self.check_edges()?;
        }
        match stack::needed(self, text) {
            0 => self.tokenize_here(text, specials, add_special),
            stack if stack > stack::MOST => Err(TokenizeError::TooLong { bytes: text.len() }),
            stack => std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().name("tokenize".to_owned()).stack_size(stack);
                let work = thread.spawn_scoped(scope, || self.tokenize_here(text, specials, add_special));
                let work = work.map_err(|_| TokenizeError::TooLong { bytes: text.len() })?;
                work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }),
        }
    }

    fn tokenize_here(&self, text: &str, specials: Specials, add_special: bool) -> Result<Vec<Token>, TokenizeError> {
        let too_long = || TokenizeError::TooLong { bytes: text.len() };
        let text_len = i32::try_from(text.len()).map_err(|_| too_long())?;
        // One token a byte is nearly always enough, plus the specials.
        let mut tokens = vec![Token(0); text.len() + 8];
        loop {
            let capacity = i32::try_from(tokens.len()).map_err(|_| too_long())?;
            let mut n = 0;
            // SAFETY: `text` is readable for `text_len` bytes, `tokens` is writable for `capacity` ids (`Token` is
            // `repr(transparent)` over i32), and the vocabulary is live.
            let status = unsafe {
                ffi::lrs_tokenize(
                    self.raw,
                    text.as_ptr().cast(),
                    text_len,
                    tokens.as_mut_ptr().cast(),
                    capacity,
                    add_special,
                    specials == Specials::Parse,
                    &raw mut n,
                )
            };
            raw::check(status).map_err(internal)?;
            if n >= 0 {
                tokens.truncate(n.unsigned_abs() as usize);
                return Ok(tokens);
            }
            if n == i32::MIN || n.unsigned_abs() as usize <= tokens.len() {
                return Err(too_long());
            }
            tokens.resize(n.unsigned_abs() as usize, Token(0));
        }
    }

    /// As [`Vocab::tokenize_with`] for bytes of unknown origin.
    ///
    /// # Errors
    ///
    /// [`TokenizeError::InvalidUtf8`] with the offset of the first bad byte, and those of `tokenize_with`.
    pub fn tokenize_bytes(
        &self,
        bytes: &[u8],
        specials: Specials,
        add: AddSpecial,
    ) -> Result<Vec<Token>, TokenizeError> {
        let text = std::str::from_utf8(bytes).map_err(|e| TokenizeError::InvalidUtf8 { at: e.valid_up_to() })?;
        self.tokenize_with(text, specials, add)
    }

    /// The bytes of one token. They need not be whole UTF-8: see [`text`](crate::text).
    ///
    /// Special tokens are empty with [`Specials::AsText`], and their name with [`Specials::Parse`].
    ///
    /// # Errors
    ///
    /// [`TokenizeError::OutOfRange`], [`TokenizeError::NoVocabulary`], [`TokenizeError::Internal`].
    #[doc(alias = "llama_token_to_piece")]
    pub fn piece(&self, token: Token, specials: Specials) -> Result<Vec<u8>, TokenizeError> {
        self.check_usable()?;
        self.check_token(token)?;
        raw::grow(32, |buffer| {
            let len = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            let mut n = 0;
            // SAFETY: the buffer is writable for `len` bytes; the token is in the vocabulary, which is live.
            let status = unsafe {
                ffi::lrs_token_to_piece(
                    self.raw,
                    token.0,
                    buffer.as_mut_ptr().cast(),
                    len,
                    specials == Specials::Parse,
                    &raw mut n,
                )
            };
            raw::check(status).map(|()| n)
        })
        .map_err(internal)
    }

    /// The text of a run of tokens. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// For vocabularies that ask for it (`tokenizer.ggml.clean_spaces`, and some kinds by default) spaces before
    /// punctuation are dropped; [`Vocab::piece`] after piece gives every byte.
    ///
    /// # Errors
    ///
    /// As [`Vocab::piece`].
    #[doc(alias = "llama_detokenize")]
    pub fn detokenize(&self, tokens: &[Token], specials: Specials) -> Result<String, TokenizeError> {
        self.check_usable()?;
        for &token in tokens {
            self.check_token(token)?;
        }
        let n_tokens = i32::try_from(tokens.len()).map_err(|_| TokenizeError::TooLong { bytes: tokens.len() })?;
        let bytes = raw::grow(tokens.len() * 8 + 16, |buffer| {
            let len = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            let mut n = 0;
            // SAFETY: `tokens` is readable for `n_tokens` ids of the live vocabulary, the buffer is writable for `len`.
            let status = unsafe {
                ffi::lrs_detokenize(
                    self.raw,
                    tokens.as_ptr().cast(),
                    n_tokens,
                    buffer.as_mut_ptr().cast(),
                    len,
                    false,
                    specials == Specials::Parse,
                    &raw mut n,
                )
            };
            raw::check(status).map(|()| n)
        })
        .map_err(internal)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Whether generation ends at this token (end of text, end of turn). False for ids outside the vocabulary.
    #[doc(alias = "llama_vocab_is_eog")]
    pub fn is_eog(&self, token: Token) -> bool {
        // SAFETY: the token is in the live vocabulary.
        self.contains(token) && unsafe { ffi::llama_vocab_is_eog(self.raw, token.0) }
    }

    /// Whether this token steers the model instead of standing for text. False for ids outside the vocabulary.
    #[doc(alias = "llama_vocab_is_control")]
    pub fn is_control(&self, token: Token) -> bool {
        // SAFETY: the token is in the live vocabulary, and there is one: C asserts that.
        self.check_usable().is_ok() && self.contains(token) && unsafe { ffi::llama_vocab_is_control(self.raw, token.0) }
    }

    /// Whether the id is in the vocabulary.
    pub fn contains(&self, token: Token) -> bool {
        usize::try_from(token.0).is_ok_and(|id| id < self.len())
    }

    /// Whether texts start with BOS.
    #[doc(alias = "llama_vocab_get_add_bos")]
    pub fn adds_bos(&self) -> bool {
        // SAFETY: reads the live vocabulary.
        unsafe { ffi::llama_vocab_get_add_bos(self.raw) }
    }

    /// Whether texts end with EOS.
    #[doc(alias = "llama_vocab_get_add_eos")]
    pub fn adds_eos(&self) -> bool {
        // SAFETY: reads the live vocabulary.
        unsafe { ffi::llama_vocab_get_add_eos(self.raw) }
    }

    /// Beginning of text.
    #[doc(alias = "llama_vocab_bos")]
    pub fn bos(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_bos)
    }

    /// End of text.
    #[doc(alias = "llama_vocab_eos")]
    pub fn eos(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_eos)
    }

    /// End of a turn.
    #[doc(alias = "llama_vocab_eot")]
    pub fn eot(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_eot)
    }

    /// Separator of sentences.
    #[doc(alias = "llama_vocab_sep")]
    pub fn sep(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_sep)
    }

    /// End of a line.
    #[doc(alias = "llama_vocab_nl")]
    pub fn newline(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_nl)
    }

    /// Padding.
    #[doc(alias = "llama_vocab_pad")]
    pub fn pad(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_pad)
    }

    /// Mask, for diffusion and masked models.
    #[doc(alias = "llama_vocab_mask")]
    pub fn mask(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_mask)
    }

    /// Fill in the middle: what stands before the gap.
    #[doc(alias = "llama_vocab_fim_pre")]
    pub fn fim_prefix(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_fim_pre)
    }

    /// Fill in the middle: what stands after the gap.
    #[doc(alias = "llama_vocab_fim_suf")]
    pub fn fim_suffix(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_fim_suf)
    }

    /// Fill in the middle: where the model starts to write.
    #[doc(alias = "llama_vocab_fim_mid")]
    pub fn fim_middle(&self) -> Option<Token> {
        self.special(ffi::llama_vocab_fim_mid)
    }

    fn special(&self, get: unsafe extern "C" fn(*const ffi::llama_vocab) -> i32) -> Option<Token> {
        // SAFETY: `get` only reads the live vocabulary; -1 means there is no such token.
        let id = unsafe { get(self.raw) };
        // Upstream assumes ids where the file names none, whatever the size of the vocabulary.
        Some(Token(id)).filter(|&token| self.contains(token))
    }

    /// Most calls abort in C for a model without a vocabulary.
    fn check_usable(&self) -> Result<(), TokenizeError> {
        if self.kind() == VocabKind::None { Err(TokenizeError::NoVocabulary) } else { Ok(()) }
    }

    pub(crate) fn check_token(&self, token: Token) -> Result<(), TokenizeError> {
        if self.contains(token) {
            return Ok(());
        }
        Err(TokenizeError::OutOfRange { token, n_vocab: self.model.facts().n_vocab })
    }

    /// C asserts that the tokens it adds exist.
    fn check_edges(&self) -> Result<(), TokenizeError> {
        let wordpiece = self.kind() == VocabKind::Wpm;
        let missing = |name| Err(TokenizeError::MissingSpecial { name });
        if (wordpiece || self.adds_bos()) && self.bos().is_none() {
            return missing("BOS");
        }
        if wordpiece && self.sep().is_none() {
            return missing("SEP");
        }
        if self.adds_eos() && self.eos().is_none() {
            return missing("EOS");
        }
        Ok(())
    }
}

impl std::fmt::Debug for Vocab<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocab").field("kind", &self.kind()).field("len", &self.len()).finish_non_exhaustive()
    }
}

fn internal(failure: Failure) -> TokenizeError {
    TokenizeError::Internal { reason: failure.explain("") }
}
