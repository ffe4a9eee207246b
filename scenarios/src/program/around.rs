//! What stands around a program in a command line: `ls / | …`, `… < file`, `… > file`.

use super::ProgramError;

/// Where standard input comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// From nowhere: it has ended.
    #[default]
    Nothing,
    /// A command's output, by its words.
    Command(Vec<String>),
    /// A file in the host's folder.
    File(String),
}

/// Where standard output goes, if not to whoever started the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Into {
    /// A file in the host's folder.
    pub file: String,
    /// Behind what is in it already.
    pub append: bool,
}

/// What stands around a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Where standard input comes from.
    pub from: Feed,
    /// Where standard output goes.
    pub to: Option<Into>,
}

/// Takes the words around a program away: what is left are the program's own.
///
/// # Errors
/// Something is missing, or there is more than one command before the program.
pub fn split_off(mut words: Vec<String>) -> Result<(Around, Vec<String>), ProgramError> {
    let mut around = Around::default();
    if let Some(bar) = words.iter().position(|word| word == "|") {
        let own = words.split_off(bar + 1);
        words.truncate(bar);
        if words.is_empty() || own.is_empty() || own.iter().any(|word| word == "|") {
            return Err(ProgramError::Around("a pipe leads from one command to one program"));
        }
        around.from = Feed::Command(std::mem::replace(&mut words, own));
    }
    while let [.., sign, file] = &words[..] {
        let missing = || ProgramError::Around("input comes from one place, output goes to one");
        match sign.as_str() {
            "<" if around.from == Feed::Nothing => around.from = Feed::File(file.clone()),
            ">" | ">>" if around.to.is_none() => {
                around.to = Some(Into { file: file.clone(), append: sign == ">>" });
            }
            "<" | ">" | ">>" => return Err(missing()),
            _ => break,
        }
        words.truncate(words.len() - 2);
    }
    Ok((around, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::split;

    fn read(line: &str) -> Result<(Around, Vec<String>), ProgramError> {
        split_off(split(line).expect("words"))
    }

    #[test]
    fn what_stands_around_a_program_is_taken_away() {
        let (around, words) = read("ls / | gearman -f test").expect("a pipe");
        assert_eq!(around.from, Feed::Command(vec!["ls".into(), "/".into()]));
        assert_eq!(words, ["gearman", "-f", "test"]);
        let (around, words) = read("gearman -f resize < large.jpg > thumb.jpg").expect("files");
        assert_eq!(around.from, Feed::File("large.jpg".into()));
        assert_eq!(around.to, Some(Into { file: "thumb.jpg".into(), append: false }));
        assert_eq!(words, ["gearman", "-f", "resize"]);
        let (around, _) = read("gearman -w -f log >> all").expect("a file");
        assert!(around.to.is_some_and(|to| to.append));
        let quoted = read("gearman -w -f a -- sh -c 'sort | uniq'").expect("nothing around it");
        assert_eq!((quoted.0, quoted.1.len()), (Around::default(), 8));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in ["| gearman", "ls |", "a | b | gearman", "ls | gearman < file", "a > b > c"] {
            assert!(matches!(read(wrong), Err(ProgramError::Around(_))), "{wrong}");
        }
    }
}
