//! The test section of the original manual, step by step: the same commands at the same addresses, and what
//! they print is compared with what the manual shows.

use std::process::Output;
use std::thread::sleep;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::alarms::Received;
use crate::client::Writing;
use crate::clock::{now_us, wait_for};
use crate::manual::{answer_of, is_on_page, judge, named, spelled_args};
use crate::plan::{CLIENT, INSTANCE, PORT};
use crate::redis_view::Info;
use crate::report::{BOLD, DIM, Steps, Verdict, ms, say, styled};
use crate::run::{bounded_in_netns, output, said};
use crate::world::{LIMIT, World};

/// The client pauses between two writes: enough to see how long the VIP was gone, and no load.
const PAUSE_US: u64 = 1_000;
const CLI_LIMIT: Duration = Duration::from_secs(5);
/// The VIP "immediately recovers" says the manual.
const RECOVERY: Duration = Duration::from_secs(10);
/// An alarm too many would come in this time.
const ALARM_SILENCE: Duration = Duration::from_secs(2);

const KEY1: &str = "aaaaaaaaaaaa";
const KEY2: &str = "bbbbbbbbbbbbb";

/// Walks through it all in a world that has just come up.
pub fn run(world: &mut World) -> anyhow::Result<Verdict> {
    let client = Writing::start(world.plan.vip_redis(), "walk:", PAUSE_US)?;
    let mut walk = Walk {
        everybody: (0..world.hosts.len()).collect(),
        world,
        client,
        steps: Steps::default(),
        outages: Vec::new(),
    };
    walk.brought_up()?;
    let bring_up_alarms = walk.world.alarms.all().len();
    walk.steps.check(
        "no alarm for bringing the nodes up",
        bring_up_alarms == 0,
        titles(&walk.world.alarms.all()),
    );
    walk.stop_primary()?;
    walk.start_again()?;
    let alarms = walk.alarms_of_failover(bring_up_alarms)?;
    walk.write_value()?;
    walk.stop_new_primary()?;
    walk.audit()?;
    Ok(walk.verdict(bring_up_alarms, &alarms))
}

struct Walk<'a> {
    world: &'a mut World,
    everybody: Vec<usize>,
    client: Writing,
    steps: Steps,
    outages: Vec<Value>,
}

impl Walk<'_> {
    fn brought_up(&mut self) -> anyhow::Result<()> {
        heading("Every node is started. The check exits with 0:");
        for index in 0..self.world.hosts.len() {
            let host = &self.world.hosts[index];
            typed(&format!("{}$ rha check {INSTANCE}; echo $?", host.name));
            let output = host.rha(&["check", INSTANCE])?;
            let code = output.status.code().unwrap_or(-1);
            say(format_args!("\t{code}"));
            let expected = format!("rha check on {} exits with 0", host.name);
            self.steps
                .check(&expected, code == 0, format!("{code} {}", said(&output)));
        }
        heading("The node with the higher priority is master, and shows its slave's address:");
        let others = self.addresses(&self.everybody[1..]);
        self.expect_info("role:master with every other node as slave", &others)
    }

    fn stop_primary(&mut self) -> anyhow::Result<()> {
        heading("Redis is stopped on the master:");
        self.redis(0, "stop")?;
        heading("The Redis service at the VIP is still there, with one slave less:");
        // Who of three took over is known only now; with two nodes nobody is left to be a slave.
        let primary = self.holder_but(&[0])?;
        let rest = self.without(&[0, primary]);
        let rest = self.addresses(&rest);
        self.expect_info("role:master, the stopped node is no longer a slave", &rest)?;
        self.note_outage();
        Ok(())
    }

    fn start_again(&mut self) -> anyhow::Result<()> {
        heading("Redis is started again on the old master:");
        let primary = self.world.holder()?;
        self.redis(0, "start")?;
        heading("The VIP still serves, and the Redis just started has become a slave:");
        let others = self.without(&[primary]);
        let others = self.addresses(&others);
        self.expect_info("role:master, the returned node is its slave", &others)?;
        let settled = self.world.settled(&self.everybody)?;
        self.steps.check(
            "the returned node does not take the VIP back although its priority is higher",
            settled == primary && settled != 0,
            format!("{} is master", self.world.hosts[settled].name),
        );
        Ok(())
    }

    /// One clean failover and return: exactly one alarm, and its end.
    fn alarms_of_failover(&mut self, before: usize) -> anyhow::Result<Vec<Received>> {
        heading("Alarms for this failover and return:");
        let sink = self.world.alarms.clone();
        // Fewer than two are found by the check below.
        let _ = wait_for("two alarms", RECOVERY, || {
            ensure!(sink.all().len() >= before + 2, "fewer");
            Ok(())
        });
        sleep(ALARM_SILENCE);
        let alarms = sink.all().split_off(before);
        for alarm in &alarms {
            say(format_args!(
                "\t{} {}",
                alarm.title,
                styled(DIM, &alarm.content)
            ));
        }
        let resolved = resolved_of(&alarms);
        self.steps.check(
            "1 alarm raised, 1 resolved",
            alarms.len() == 2 && resolved == 1,
            titles(&alarms),
        );
        let from_node = alarms.iter().all(|alarm| {
            self.world.hosts.iter().any(|host| {
                let prefix = format!("{}:", host.address);
                alarm.title.starts_with(&prefix) && alarm.content.starts_with(&prefix)
            })
        });
        self.steps.check(
            "title and content begin with the node's address",
            from_node,
            titles(&alarms),
        );
        Ok(alarms)
    }

    fn write_value(&mut self) -> anyhow::Result<()> {
        heading("A value is written:");
        self.expect_answer(&["set", "key1", KEY1], "OK")?;
        self.expect_answer(&["get", "key1"], &format!("\"{KEY1}\""))
    }

    fn stop_new_primary(&mut self) -> anyhow::Result<()> {
        heading("Redis is stopped on the present master; key1 is read and key2 written:");
        let primary = self.world.holder()?;
        self.redis(primary, "stop")?;
        self.expect_answer(&["get", "key1"], &format!("\"{KEY1}\""))?;
        self.expect_answer(&["set", "key2", KEY2], "OK")?;
        self.holder_but(&[primary])?;
        self.note_outage();
        Ok(())
    }

    fn audit(&mut self) -> anyhow::Result<()> {
        heading("Afterwards, every node's journal is replayed and verified:");
        for audit in self.world.audit()? {
            typed(&format!("{}$ {}", audit.host, audit.command));
            say(indented(&audit.said));
            let expected = format!("{} on {} exits with 0", audit.command, audit.host);
            self.steps.check(&expected, audit.ok, audit.exit);
        }
        Ok(())
    }

    fn verdict(mut self, bring_up_alarms: usize, failover_alarms: &[Received]) -> Verdict {
        heading("The client that wrote all the while:");
        let (acknowledged, lost) = match self.client.finish() {
            Ok(tally) => {
                let expected =
                    format!("none of {} acknowledged writes is lost", tally.acknowledged);
                self.steps
                    .check(&expected, tally.lost.is_empty(), tally.lost.len());
                (Some(tally.acknowledged), Some(tally.lost.len()))
            }
            Err(error) => {
                self.steps
                    .check("the client ends", false, format!("{error:#}"));
                (None, None)
            }
        };
        let resolved = resolved_of(failover_alarms);
        let ok = self.steps.all_ok();
        let figures = json!({
            "ok": ok,
            "outages_ms": self.outages,
            "acknowledged": acknowledged,
            "lost": lost,
            "alarms": {
                "bring_up": bring_up_alarms,
                "raised": failover_alarms.len() - resolved,
                "resolved": resolved,
            },
            "steps": self.steps.into_json(),
        });
        Verdict::measured(ok, figures)
    }

    /// `rha redis start|stop` where the manual has `./redis.sh start|stop`.
    fn redis(&self, index: usize, verb: &str) -> anyhow::Result<()> {
        let host = &self.world.hosts[index];
        typed(&format!("{}$ rha redis {verb}", host.name));
        host.redis(verb)
    }

    /// INFO at the VIP until it shows a master with exactly these online slaves, then compares and prints.
    fn expect_info(&mut self, expected: &str, slaves: &[String]) -> anyhow::Result<()> {
        let mut last = String::new();
        let found = wait_for("INFO at the VIP", RECOVERY, || {
            let output = self.redis_cli(&["INFO"])?;
            last = String::from_utf8_lossy(&output.stdout).into_owned();
            judge(&Info::parse(&last), slaves)
        });
        typed(&format!("{} INFO", self.spelled()));
        for line in last.lines().filter(|line| is_on_page(line)) {
            say(format_args!("\t{line}"));
        }
        let saw = found
            .as_ref()
            .map_or_else(|error| format!("{error:#}"), |()| String::new());
        self.steps.check(
            &format!("{expected} ({})", named(slaves)),
            found.is_ok(),
            saw,
        );
        Ok(())
    }

    /// A command at the VIP until it gives this answer. A first "connection refused" is as in the manual.
    fn expect_answer(&mut self, args: &[&str], answer: &str) -> anyhow::Result<()> {
        let mut said_before = String::new();
        let found = wait_for("the answer at the VIP", RECOVERY, || {
            let output = self.redis_cli(args)?;
            let said_last = answer_of(&output);
            if said_last != said_before {
                typed(&format!("{} {}", self.spelled(), spelled_args(args)));
                say(indented(&said_last));
                said_before.clone_from(&said_last);
            }
            ensure!(said_last == answer, "{said_last}");
            Ok(())
        });
        let saw = found
            .as_ref()
            .map_or_else(|error| format!("{error:#}"), |()| answer.to_owned());
        self.steps.check(
            &format!("{} answers {answer}", args[..2].join(" ")),
            found.is_ok(),
            saw,
        );
        Ok(())
    }

    fn redis_cli(&self, args: &[&str]) -> anyhow::Result<Output> {
        output(
            bounded_in_netns(CLIENT, "redis-cli", CLI_LIMIT)
                .args([
                    "-h",
                    &self.world.plan.vip().to_string(),
                    "-p",
                    &PORT.to_string(),
                ])
                // As on a terminal: a string is printed with its quotes. INFO is not a string to quote.
                .args((args != ["INFO"]).then_some("--no-raw"))
                .args(args),
        )
    }

    fn spelled(&self) -> String {
        format!("$redis-cli -h {} -p {PORT}", self.world.plan.vip())
    }

    /// How long the client could not write: `null` where no write failed and none waited long.
    fn note_outage(&mut self) {
        let gap = self.client.longest_gap(now_us(), RECOVERY);
        let saw = match &gap {
            Ok(Some(gap)) => {
                let length = ms(gap.length_us());
                format!("not for {length} ms, {} errors {}", gap.errors, gap.error)
            }
            Ok(None) => "the client noticed nothing".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        say(styled(DIM, format_args!("  the client at the VIP: {saw}")));
        self.steps
            .check("the client at the VIP writes again", gap.is_ok(), saw);
        let length = gap.ok().flatten().map(|gap| ms(gap.length_us()));
        self.outages.push(json!(length));
    }

    /// Waits until a node that is none of these has the VIP.
    fn holder_but(&self, not: &[usize]) -> anyhow::Result<usize> {
        wait_for("another node to have the VIP", LIMIT, || {
            let holder = self.world.holder()?;
            ensure!(!not.contains(&holder), "the VIP has not moved");
            Ok(holder)
        })
    }

    fn without(&self, not: &[usize]) -> Vec<usize> {
        let mut rest = self.everybody.clone();
        rest.retain(|index| !not.contains(index));
        rest
    }

    fn addresses(&self, indices: &[usize]) -> Vec<String> {
        indices
            .iter()
            .map(|&index| self.world.hosts[index].address.to_string())
            .collect()
    }
}

fn resolved_of(alarms: &[Received]) -> usize {
    alarms.iter().filter(|alarm| alarm.is_resolved()).count()
}

fn titles(alarms: &[Received]) -> String {
    let titles: Vec<&str> = alarms.iter().map(|alarm| alarm.title.as_str()).collect();
    format!("{} alarms: {}", alarms.len(), titles.join(" | "))
}

fn heading(text: &str) {
    say(format_args!("\n{text}\n"));
}

fn typed(line: &str) {
    say(format_args!("\t{}", styled(BOLD, line)));
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("\t{line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
