//! From the old scripts' `config.sh`, and their keepalived.conf, to a complete rha.toml.
//!
//! What the old files cannot know (the other node's address, for instance) becomes an empty value
//! behind a `FILL IN` comment, which `rha config check` refuses until it has been filled in.

mod shell;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use crate::keepalived::parse::Statement;
use crate::text::plain;

/// The variables of the old scripts that rha has a key for.
const KNOWN: [&str; 10] = [
    "VIP", "LOCALIP", "ALARM", "PORT", "PIDFILE", "CONFIG", "CLI", "SERVER", "MAIL", "PHONE",
];

/// The new file, and what was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The text of rha.toml.
    pub toml: String,
    /// `FILE:LINE: why` for everything that was not understood.
    pub ignored: Vec<String>,
}

/// An old keepalived.conf.
#[derive(Debug, Clone, Copy)]
pub struct OldConfig<'s> {
    /// Its name.
    pub file: &'s str,
    /// Its statements.
    pub statements: &'s [Statement],
}

/// A file that was taken for one of the old ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistaken {
    /// It sets none of the variables that the old scripts read.
    #[error("{file} sets none of {known}: is it the old config.sh?", known = KNOWN.join(", "))]
    NoVariables {
        /// Its name.
        file: String,
    },
    /// It configures no VRRP.
    #[error("{file} has no vrrp_instance: is it the old keepalived.conf?")]
    NoInstance {
        /// Its name.
        file: String,
    },
}

/// Translates the text of `config.sh`, which came from `file`, with up to two old keepalived.confs.
///
/// # Errors
/// One of the files is another than it was taken for.
pub fn import(text: &str, file: &str, keepalived: &[OldConfig<'_>]) -> Result<Imported, Mistaken> {
    let shell::Assignments { values, ignored } = shell::assignments(text);
    if !KNOWN.iter().any(|name| values.contains_key(*name)) {
        return Err(Mistaken::NoVariables {
            file: file.to_owned(),
        });
    }
    let mut ignored: Vec<_> = ignored
        .iter()
        .map(|(line, why)| format!("{file}:{line}: ignored {why}"))
        .collect();
    for name in values.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        ignored.push(format!("{file}: ignored {name}: rha has no key for it"));
    }
    let old = keepalived
        .iter()
        .map(|config| old_instance(config, &mut ignored))
        .collect::<Result<Vec<_>, _>>()?;
    let writer = Writer {
        values: &values,
        file,
        old: &old,
    };
    let vip = writer.get("VIP");
    for instance in &old {
        if !vip.is_empty()
            && !instance.vips.is_empty()
            && !instance.vips.iter().any(|one| one == vip)
        {
            ignored.push(format!(
                "{}: its virtual_ipaddress is {}; {file} says {vip}, which was taken",
                instance.file,
                instance.vips.join(", ")
            ));
        }
    }
    Ok(Imported {
        toml: writer.toml(),
        ignored,
    })
}

/// What an old vrrp_instance tells of the new one.
struct OldInstance {
    file: String,
    interface: Option<String>,
    router: Option<u8>,
    priority: Option<u8>,
    own: Option<String>,
    peers: Vec<String>,
    vips: Vec<String>,
}

fn old_instance(
    config: &OldConfig<'_>,
    ignored: &mut Vec<String>,
) -> Result<OldInstance, Mistaken> {
    let file = config.file;
    let mut instances = config
        .statements
        .iter()
        .filter(|found| found.keyword() == "vrrp_instance");
    let instance = instances.next().ok_or_else(|| Mistaken::NoInstance {
        file: file.to_owned(),
    })?;
    for other in instances {
        ignored.push(format!(
            "{}: ignored vrrp_instance {}: one is taken from each file",
            other.place,
            other.argument().unwrap_or_default()
        ));
    }
    let word = |keyword: &str| {
        instance
            .last(keyword)
            .and_then(Statement::argument)
            .map(str::to_owned)
    };
    let items = |keyword: &str| -> Vec<String> {
        let items = instance.all(keyword).flat_map(Statement::children);
        items
            .map(|item| {
                item.keyword()
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    Ok(OldInstance {
        file: file.to_owned(),
        interface: word("interface"),
        router: word("virtual_router_id")
            .and_then(|id| id.parse().ok())
            .filter(|id| *id > 0),
        priority: word("priority").and_then(|priority| priority.parse().ok()),
        own: word("unicast_src_ip").or_else(|| word("mcast_src_ip")),
        peers: items("unicast_peer"),
        vips: items("virtual_ipaddress"),
    })
}

struct Writer<'w> {
    values: &'w BTreeMap<String, Option<String>>,
    file: &'w str,
    old: &'w [OldInstance],
}

impl Writer<'_> {
    fn toml(&self) -> String {
        let mut out = format!(
            "# Made from {} by `rha config import`. Read it, fill in what is marked, then: rha config check\n",
            plain(self.file)
        );
        out.push_str("# One file for all nodes: make it once and copy it, for the order of its nodes is their rank.\n");
        out.push_str("# Keys that are not here have the defaults of `rha config show`.\n\n");
        self.alarm(&mut out);
        self.instance(&mut out);
        self.redis(&mut out);
        self.nodes(&mut out);
        out
    }

    fn alarm(&self, out: &mut String) {
        let (alarm, mail, phone) = (self.get("ALARM"), self.get("MAIL"), self.get("PHONE"));
        for (name, what) in [
            ("ALARM", "the URL of the alarms"),
            ("MAIL", "mail_to, or leave it empty"),
            ("PHONE", "sms_to, or leave it empty"),
        ] {
            self.computed(out, name, what);
        }
        if alarm.is_empty() && !self.is_computed("ALARM") {
            out.push_str("# The old file had no ALARM: alarms go nowhere until there is an [[alarm.sink]].\n\n");
            return;
        }
        push(
            out,
            format_args!(
                "[[alarm.sink]]\nname = \"simplealarm\"\nkind = \"simplealarm\"\nurl = {}\nmail_to = {}\nsms_to = {}\n\n",
                quoted(alarm),
                quoted(mail),
                quoted(phone)
            ),
        );
    }

    fn instance(&self, out: &mut String) {
        let first = |pick: fn(&OldInstance) -> Option<String>| self.old.iter().find_map(pick);
        let interface = first(|old| old.interface.clone());
        let router = first(|old| old.router.map(|id| id.to_string()));
        out.push_str("[[instance]]\nname = \"redis\"\n");
        field(
            out,
            "vip",
            Some(self.get("VIP")).filter(|vip| !vip.is_empty()),
            "the address that clients use (VIP)",
        );
        match self.get("PORT").parse::<u16>() {
            Ok(port) if port > 0 => push(out, format_args!("port = {port}\n")),
            _ => push(
                out,
                format_args!("# FILL IN: the port of Redis (PORT)\nport = 0\n"),
            ),
        }
        field(
            out,
            "interface",
            interface.as_deref(),
            "the interface of the VIP (keepalived's `interface`)",
        );
        match router {
            Some(id) => push(out, format_args!("virtual_router_id = {id}\n")),
            None => push(
                out,
                format_args!(
                    "# FILL IN: 1 to 255, the same on all nodes (keepalived's `virtual_router_id`)\nvirtual_router_id = 0\n"
                ),
            ),
        }
        out.push('\n');
    }

    fn redis(&self, out: &mut String) {
        let (server, config) = (self.get("SERVER"), self.get("CONFIG"));
        let (cli, pidfile) = (self.get("CLI"), self.get("PIDFILE"));
        out.push_str("[instance.redis]\n");
        let computed = ["SERVER", "CONFIG"]
            .map(|name| self.computed(out, name, "the command that starts Redis"));
        if computed.contains(&true) {
            // Refused until it is filled in.
            out.push_str("start = [\"\"]\n");
        } else if server.is_empty() {
            out.push_str("# The old file had no SERVER: rha cannot start Redis until it has a command here.\nstart = []\n");
        } else {
            let words = [server, config, "--daemonize", "yes"];
            let words: Vec<_> = words
                .iter()
                .filter(|word| !word.is_empty())
                .map(|word| quoted(word))
                .collect();
            push(out, format_args!("start = [{}]\n", words.join(", ")));
        }
        for (name, old) in [("PIDFILE", pidfile), ("CLI", cli)] {
            if !old.is_empty() {
                push(
                    out,
                    format_args!(
                        "# {name} ({}) is not needed: rha asks Redis itself.\n",
                        plain(old)
                    ),
                );
            }
        }
        out.push_str("# If Redis wants a password (requirepass), put it into a file of its own:\n# password_file = \"/etc/rha/redis.password\"\n\n");
    }

    /// The nodes, in an order that does not depend on which of the hosts this is.
    fn nodes(&self, out: &mut String) {
        let old: Vec<_> = self
            .old
            .iter()
            .filter_map(|old| Some(format!("{} had {}", old.file, old.priority?)))
            .collect();
        if !old.is_empty() {
            push(
                out,
                format_args!(
                    "# The node that should be primary at the first start comes first (old priorities: {}).\n",
                    plain(&old.join(", "))
                ),
            );
        } else {
            out.push_str("# The node that should be primary at the first start comes first.\n");
        }
        out.push_str("# Each name is that host's own (hostname -s), so that the same file serves all nodes.\n");
        let mut addresses = self.addresses().into_iter();
        for place in ["first", "second"] {
            let address = addresses.next();
            out.push_str("[[instance.node]]\n");
            field(
                out,
                "name",
                None,
                &format!("the host name of the {place} node"),
            );
            field(
                out,
                "address",
                address.as_deref(),
                &format!("the address of the {place} node, not the VIP"),
            );
        }
        for address in addresses {
            out.push_str("[[instance.node]]\n");
            field(out, "name", None, "the host name of this node");
            field(out, "address", Some(&address), "");
        }
    }

    /// Every address that an old file knows: the highest old priority first if all of them are known, else as numbers
    /// are ordered. Who comes first must not depend on whose files are read.
    fn addresses(&self) -> Vec<String> {
        let own = self.old.iter().filter_map(|old| old.own.clone());
        let peers = self.old.iter().flat_map(|old| old.peers.clone());
        let all = own.chain(peers).chain([self.get("LOCALIP").to_owned()]);
        let mut all: Vec<_> = all.filter(|address| !address.is_empty()).collect();
        all.sort_by_key(|address| (address.parse::<IpAddr>().ok(), address.clone()));
        all.dedup();
        let priority = |address: &String| {
            let mut old = self.old.iter();
            old.find(|old| old.own.as_ref() == Some(address))?.priority
        };
        if all.iter().all(|address| priority(address).is_some()) {
            all.sort_by_key(|address| std::cmp::Reverse(priority(address)));
        }
        all
    }

    /// The value of a variable; empty if it has none, or one that a shell would have to find out.
    fn get(&self, name: &str) -> &str {
        let value = self.values.get(name).and_then(Option::as_deref);
        value.unwrap_or_default()
    }

    fn is_computed(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Option::is_none)
    }

    /// Says what is to be filled in if `name` is computed.
    fn computed(&self, out: &mut String, name: &str, what: &str) -> bool {
        let computed = self.is_computed(name);
        if computed {
            let file = plain(self.file);
            push(
                out,
                format_args!(
                    "# FILL IN: {what} ({name} is computed in {file}, and nothing is executed)\n"
                ),
            );
        }
        computed
    }
}

/// `key = "value"`, or an empty value that the check refuses behind a line that says what it is.
fn field(out: &mut String, key: &str, value: Option<&str>, what: &str) {
    match value {
        Some(value) => push(out, format_args!("{key} = {}\n", quoted(value))),
        None => push(out, format_args!("# FILL IN: {what}\n{key} = \"\"\n")),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
