//! `mmc synth`: options to parallel corpora of artificial languages in families.

use std::path::PathBuf;

use clap::Args;
use mmc_text::synth::{self, Family, SynthOptions};

use crate::error::{CliError, Exit, Stop};
use crate::progress::counted;
use crate::report;

/// Options of `mmc synth`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder to write into; it must not exist yet
    out: PathBuf,
    /// A number of families (`aa`, `bb`, ...), or their names and languages: `north=aa,ab south=ba,bb`
    #[arg(long, value_name = "FAMILIES", num_args = 1.., default_value = "2")]
    families: Vec<String>,
    /// Languages of a family, when `--families` is a number
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=99))]
    languages: u32,
    /// Training sentences of the first pair of languages
    #[arg(long, value_name = "N", default_value_t = 12_000)]
    train: u64,
    /// Validation sentences
    #[arg(long, value_name = "N", default_value_t = 200)]
    valid: u64,
    /// Test sentences
    #[arg(long, value_name = "N", default_value_t = 200)]
    test: u64,
    /// Meanings in the lexicon, at least 40
    #[arg(long, value_name = "N", default_value_t = 200)]
    meanings: u32,
    /// Of 100 meanings, how many a language says with its family's root
    #[arg(long, value_name = "PERCENT", default_value_t = 80)]
    relatedness: u32,
    /// Training size of each further pair, in percent of the pair before
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    skew: u32,
    /// Root of all random streams
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Writes the corpora.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Stop> {
    if arguments.out.exists() {
        let message = format!("`{}` exists already", arguments.out.display());
        let help = "give a new folder, or delete this one".to_owned();
        return Err(CliError::Usage { message, help }.into());
    }
    let options = SynthOptions {
        families: families(&arguments.families, arguments.languages)?,
        train: arguments.train,
        valid: arguments.valid,
        test: arguments.test,
        meanings: arguments.meanings,
        relatedness: arguments.relatedness,
        skew: arguments.skew,
        seed: arguments.seed,
    };
    let written = synth::write(&options, &arguments.out)?;
    report::note(&format!("{}: {}", arguments.out.display(), told(&options, &written)));
    Ok(Exit::FINE)
}

/// `2` with so many languages each, or `north=aa,ab south=ba,bb`.
fn families(words: &[String], languages: u32) -> Result<Vec<Family>, CliError> {
    if let [number] = words
        && let Ok(number) = number.parse::<u8>()
    {
        if !(1..=26).contains(&number) {
            return Err(CliError::Usage {
                message: format!("{number} families can't be named by letters"),
                help: "1 to 26 families, or give their names: `--families north=aa,ab south=ba,bb`"
                    .to_owned(),
            });
        }
        return Ok(SynthOptions::new(number, languages).families);
    }
    words.iter().map(|word| family(word)).collect()
}

fn family(word: &str) -> Result<Family, CliError> {
    let (name, languages) = word.split_once('=').ok_or_else(|| CliError::Usage {
        message: format!("`{word}` is no family"),
        help: "write a number of families, or `NAME=LANG,LANG...` for each".to_owned(),
    })?;
    let languages = languages.split(',').map(str::to_owned).collect();
    Ok(Family { name: name.to_owned(), languages })
}

fn told(options: &SynthOptions, written: &synth::Written) -> String {
    let languages: usize = options.families.iter().map(|family| family.languages.len()).sum();
    format!(
        "{languages} languages of {}, {}",
        counted(options.families.len() as u64, "family", "families"),
        counted(written.files.len() as u64, "file", "files")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_by_number_and_by_name() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
        let two = families(&words("2"), 3).unwrap();
        assert_eq!(two[1].languages, ["bb1", "bb2", "bb3"]);
        let named = families(&words("north=aa,ab south=ba"), 3).unwrap();
        assert_eq!((named[0].name.as_str(), named[0].languages.len()), ("north", 2));
        assert_eq!(named[1].languages, ["ba"]);
        for bad in ["0", "27", "north"] {
            assert!(families(&words(bad), 2).is_err(), "{bad}");
        }
    }
}
