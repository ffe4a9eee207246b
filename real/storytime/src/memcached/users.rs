//! Names and passwords: the files of `-Y` and `-S`.

use std::ffi::OsString;
use storytime_memcached::auth::{Format, Users};
use storytime_memcached::config::Config;

/// Names the file of `-S`, in lines of `user:password:`.
const SASL_FILE: &str = "MEMCACHED_SASL_PWDB";

/// Reads the users, if anybody has to log in.
pub(super) fn read(config: &Config) -> Result<Option<Users>, String> {
    let (file, format) = match &config.program.auth_file {
        Some(file) => (OsString::from(file), Format::Plain),
        None if config.sasl => match std::env::var_os(SASL_FILE) {
            Some(file) => (file, Format::Sasl),
            // The original would ask Cyrus' own database; here nobody could ever log in.
            None => {
                let advice = "name a file of user:password: lines in";
                return Err(format!("-S: {advice} {SASL_FILE}; Cyrus' databases are not read"));
            }
        },
        None => return Ok(None),
    };
    let shown = file.to_string_lossy();
    let text = std::fs::read(&file).map_err(|why| format!("cannot read users, {shown}: {why}"))?;
    Users::from_text(&text, format).map(Some).map_err(|why| format!("{shown}, {why}"))
}
