//! The flags of commands that answer nothing: [`PlanArgs`] and [`FetchArgs`] give clap those rows of the table that count
//! for them.

use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{Typed, typed, with_flags};
use crate::settings::Effective;
use crate::settings::table::Row;

/// Defines the flags for the rows that `$wanted` takes.
macro_rules! some_settings {
    ($(#[$doc:meta])* $name:ident: $wanted:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub(crate) struct $name(Typed);

        impl $name {
            /// As [`SettingArgs::resolve`](super::SettingArgs::resolve).
            ///
            /// # Errors
            ///
            /// As there.
            pub(crate) fn resolve(&self) -> anyhow::Result<Effective> {
                self.0.resolve()
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                with_flags(command, $wanted)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok(Self(typed(matches)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                self.0 = typed(matches);
                Ok(())
            }
        }
    };
}

some_settings! {
    /// Which model, how its weights are loaded, and its context: what counts for the memory that it takes.
    PlanArgs: |row: &Row| {
        matches!(row.group(), "model" | "hardware" | "context" | "batch" | "log")
            && !matches!(row.key, "model.adapters" | "model.require_gpu")
    }
}

some_settings! {
    /// Which model, and what the machine is used for: for the command that looks at both.
    LookArgs: |row: &Row| {
        matches!(row.group(), "model" | "log") || row.key.starts_with("chat.template") || row.key == "hardware.kernels"
    }
}

some_settings! {
    /// Which model, how it is loaded and laid out, how much is computed together, and what is kept: for measuring.
    BenchSettings: |row: &Row| {
        matches!(row.group(), "model" | "hardware" | "context" | "batch" | "cache" | "log")
            && !matches!(row.key, "model.adapters" | "batch.max_sequences")
    }
}

some_settings! {
    /// Whether there is a network.
    FetchArgs: |row: &Row| row.key == "model.offline" || row.group() == "log"
}
