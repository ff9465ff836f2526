//! The grades of health checks, for people.

use crate::model::redis::Grade;

/// What a grade means and what to do about it, such as `auth: it refuses rha's login, …`; nothing for `ok`, nor for a
/// word that is no grade.
#[must_use]
pub fn explained(word: &str) -> Option<String> {
    let grade = Grade::ALL.into_iter().find(|grade| grade.word() == word)?;
    Some(format!("{word}: {}", meaning(grade)?))
}

fn meaning(grade: Grade) -> Option<&'static str> {
    Some(match grade {
        Grade::Ok => return None,
        Grade::Slow => "it answers, later than it should",
        Grade::Loading => "it reads its data set from disk, wait until it has",
        Grade::Busy => "a script runs past its time limit, SCRIPT KILL ends it",
        Grade::Timeout => "no answer in time, it hangs or cannot be reached",
        Grade::Refused => "nothing listens at its port, it does not run",
        Grade::Unreachable => "no way to its host, see whether that is up and the network too",
        Grade::Auth => "it refuses rha's login, check username and password_file",
        Grade::Misconf => "it cannot save to disk and refuses writes, see its log and its disk",
        Grade::Garbage => "what answers at its port is no Redis, see what listens there",
        Grade::Degraded => "it answers with an error, see its log",
    })
}

/// Redis said of itself what it is in a check that ended so. (Where it says so in spite of a script or a login that
/// fails, that is not counted upon.)
pub(super) fn is_answer(grade: Grade) -> bool {
    match grade {
        Grade::Ok | Grade::Slow | Grade::Loading | Grade::Misconf | Grade::Degraded => true,
        Grade::Busy
        | Grade::Timeout
        | Grade::Refused
        | Grade::Unreachable
        | Grade::Auth
        | Grade::Garbage => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grade_but_ok_is_explained() {
        for grade in Grade::ALL {
            assert_eq!(
                explained(grade.word()).is_none(),
                grade == Grade::Ok,
                "{grade}"
            );
        }
        assert_eq!(explained("well"), None);
        assert_eq!(
            explained("refused").as_deref(),
            Some("refused: nothing listens at its port, it does not run")
        );
    }
}
