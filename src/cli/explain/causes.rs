//! What the guards of the promotion gate, the alarms, the roles and the grades of checks mean, and what to do.

use super::Text;

/// Every guard of the promotion gate. (What it asks for stands beside it in the gate.)
pub(super) const GATE: &[Text] = &[
    Text {
        names: &["not-paused"],
        means: "An operator has paused automatic actions, so nothing is promoted.",
        todo: "rha status says who, why and until when. rha resume ends it at once.",
    },
    Text {
        names: &["not-tilted"],
        means: "The clock jumped, or rha stood still: it looks at Redis and the other nodes before it acts on what it knew. Takes as \
                long as the checks, and at most [failover] tilt.",
        todo: "Nothing: it passes. If it comes often, the host is overloaded or its clock is not kept: vmstat 1, chronyc tracking.",
    },
    Text {
        names: &["redis-ready"],
        means: "Redis here is down, has not passed rise good checks yet, or did not answer the last one.",
        todo: "rha status shows the grade of the last check; rha explain GRADE. If it is down: rha redis start.",
    },
    Text {
        names: &["not-loading"],
        means: "Redis is still reading its data set from disk: promoted now, it would answer with errors.",
        todo: "Wait; redis-cli info persistence shows loading_eta_seconds.",
    },
    Text {
        names: &["no-sync-in-progress"],
        means: "Redis is in the middle of receiving a data set. A replica empties itself for that: promoted now, it would be a primary \
                without data.",
        todo: "If its primary lives, wait. If the primary is gone for good, restart Redis here (rha redis restart): it reads its own \
               last dump. Then rha promote --force, knowing that it is old.",
    },
    Text {
        names: &["copy-complete"],
        means: "The primary was lost in the middle of a transfer: what is in memory here is a part of the data.",
        todo: "Bring the node with the whole copy back: rha redis start there. If it is lost, rha redis restart here reads the last \
               dump, and rha promote --force leads with it.",
    },
    Text {
        names: &["lineage-intact"],
        means: "The copy here lacks, or may lack, writes that the last primary had: Redis was restarted with an old or empty data set, \
                or it was cut off while another node went on. Something better may still come back.",
        todo: "1. Start Redis on the last primary: rha status names it under `copy`. 2. With prefer = \"availability\" it ends by itself \
               after last_primary_wait. 3. If that copy is lost for good: rha promote --force here; what it lacks is lost.",
    },
    Text {
        names: &["not-following-itself"],
        means: "Redis follows its own address and would never get data. It is told to follow nobody, and the gate opens then.",
        todo: "Nothing at once. Remove replicaof from redis.conf, and scripts that set it.",
    },
    Text {
        names: &["quorum"],
        means: "A promotion needs the votes that [quorum] names, and this node does not have them: a voter stands for another node, or too \
                few answer.",
        todo: "rha status names the voters and for whom each stands. Start those that are down. After a host was lost, the lease has to \
               run out first: some seconds. Only if you know that no other node takes writes: rha promote --force.",
    },
    Text {
        names: &["flap-budget"],
        means: "This node was promoted by itself max_promotions times within promotions_window: the VIP keeps coming and going. While \
                another node's Redis lives, it waits unserved_wait for that one to take over; then it leads all the same. An only \
                copy does not wait.",
        todo: "rha history --why: why did the VIP leave each time? Mend that (lost adverts, a Redis that hangs, an overloaded host). \
               rha pause --reason ... makes the VIP stay where it is; rha ack clears the count.",
    },
];

/// Every alarm.
pub(super) const ALARMS: &[Text] = &[
    Text {
        names: &["took-over"],
        means: "This node serves in place of another. Clients are served; with two nodes there is no second copy until the other is back.",
        todo: "rha status on the other node, then rha redis start and systemctl start keepalived rha there, whatever is down. It is \
               resolved when its replica is attached.",
    },
    Text {
        names: &["no-replica"],
        means: "The primary is well, and a copy is missing: the next fault is an outage.",
        todo: "rha status on the other nodes. Is Redis up there, does it follow the VIP, is its link up? masterauth wrong shows in its log.",
    },
    Text {
        names: &["unserved"],
        means: "This node cannot serve, and sees no other that does. Clients get errors.",
        todo: "rha status on every node. Start Redis (rha redis start) and keepalived, on the node with the newest data first. A node in \
               `held`: rha explain of the guard in its gate line.",
    },
    Text {
        names: &["promotion-held"],
        means: "The VIP is here, and Redis may not be promoted: nobody serves writes.",
        todo: "rha status: the line `gate` names the guard; rha explain GUARD. A pause: rha resume. An older copy that is to lead all the \
               same: rha promote --force.",
    },
    Text {
        names: &["effect-failed"],
        means: "An order to Redis, or the writing of a track file, fails again and again.",
        todo: "rha history -n 20 --why has the error. rha check; ls -ld /run/rha/track; df -h /run.",
    },
    Text {
        names: &["auth-refused"],
        means: "Redis refuses rha's login. It goes on serving; but nothing can be ordered, so a failover would fail.",
        todo: "Put the right password into password_file and reload rha. It is resolved with the next good check.",
    },
    Text {
        names: &["misconfigured"],
        means: "Redis cannot save to disk and refuses writes (MISCONF).",
        todo: "df -h, df -i, Redis' log. When there is room, redis-cli bgsave; a success ends it.",
    },
    Text {
        names: &["keepalived-gone"],
        means: "keepalived does not run here: this node cannot take the VIP, and one that it holds cannot leave.",
        todo: "systemctl start keepalived; journalctl -u keepalived; rha keepalived lint.",
    },
    Text {
        names: &["vrrp-fault"],
        means: "keepalived is in FAULT though Redis is well.",
        todo: "ip link; cat /run/rha/track/*; keepalived's log. Reload keepalived if the directory of the track files was replaced.",
    },
    Text {
        names: &["journal-trouble"],
        means: "The journal is damaged or cannot be written; failovers work all the same, without a record.",
        todo: "df -h /var/lib/rha; dmesg; rha verify; rha history --blackbox.",
    },
    Text {
        names: &["two-primaries"],
        means: "Two nodes serve at once: writes to one of them will be lost.",
        todo: "tcpdump -ni IFACE proto 112 on both: do the adverts pass? Mend it, or stop keepalived on one of them at once. The older \
               primary gives way by itself where Redis of the newer one is reached.",
    },
    Text {
        names: &["notify-lost"],
        means: "keepalived moved the VIP, and its line did not arrive: a failover waits for the VIP itself, half a second longer.",
        todo: "systemctl status rha-event; does keepalived.conf name its FIFO (rha keepalived lint)? Reload keepalived.",
    },
    Text {
        names: &["older-copy"],
        means: "A copy was promoted that may lack what the last primary had.",
        todo: "rha history --why says how much. Copy the data set of the last primary aside before Redis is started there: joining \
               overwrites it.",
    },
    Text {
        names: &["vip-claimed"],
        means: "Another host answers ARP for the VIP: clients reach now this node, now that one.",
        todo: "rha history names the card. Find it: ip neigh, arping -I IFACE VIP, the switch's table. Take the VIP off that host (ip addr \
               del); if it is a node, look at its keepalived.",
    },
    Text {
        names: &["quorum"],
        means: "Too few voters answer, or this node has lost the right to lead. While all nodes see each other, who leads goes on; nobody \
                is promoted.",
        todo: "rha status: which voters answer, from which node? Start etcd or the witness, mend the network. Only if you know that no \
               other node takes writes: rha promote --force.",
    },
    Text {
        names: &["rescued"],
        means: "An old primary had writes that the new one lacks. Its data set was saved before it was overwritten.",
        todo: "rha rescue list, rha rescue diff N, rha rescue show N: what is missing, and how to put it back. Nothing is put back by itself.",
    },
    Text {
        names: &["not-rescued"],
        means: "An old primary had writes that the new one lacks, and they could not be saved. With prefer = \"consistency\" it waits and \
                does not follow; else they are gone.",
        todo: "rha history says why: no room, a right that the Redis user lacks, a save that fails. Make room or grant it. [rescue] keep = 0 \
               gives the writes up.",
    },
    Text {
        names: &["flapping"],
        means: "The VIP keeps coming and going: this node was promoted too often (max_promotions in promotions_window), and waits now each \
                time, if another node lives. All of it is one incident.",
        todo: "rha history --why on both nodes: what takes the VIP away? Lost adverts: the network, an overloaded host. Redis that \
               hangs or dies: its log. rha pause --reason ... keeps the VIP where it is; rha ack counts anew. It is resolved by \
               that, or when the window has passed.",
    },
];

/// Every role.
pub(super) const ROLES: &[Text] = &[
    Text {
        names: &["undecided"],
        means: "Nothing is decided yet: rha has just started, or nobody has ever led.",
        todo: "Some seconds of patience. If it stays: rha status. Is Redis up, does keepalived run?",
    },
    Text {
        names: &["replica"],
        means: "Redis follows the primary. This node can take over.",
        todo: "Nothing.",
    },
    Text {
        names: &["promoting"],
        means: "The VIP is here, and Redis is being made a master: milliseconds.",
        todo: "If it stays: rha history -n 20 --why has what Redis answers.",
    },
    Text {
        names: &["primary"],
        means: "The VIP is here, and Redis takes writes.",
        todo: "Nothing.",
    },
    Text {
        names: &["demoting"],
        means: "The VIP is elsewhere, and Redis is being made a replica.",
        todo: "If it stays: is there a primary behind the VIP? rha history -n 20 --why.",
    },
    Text {
        names: &["held"],
        means: "The VIP is here, and Redis may not be promoted: nobody serves writes.",
        todo: "rha status: the line `gate` names the guard; rha explain GUARD says what opens it.",
    },
    Text {
        names: &["fenced"],
        means: "This node has lost the right to lead ([quorum]): Redis takes no writes, so that another node can be promoted safely.",
        todo: "rha status names the voters that do not answer: mend the way to them. It takes part again by itself.",
    },
    Text {
        names: &["fault"],
        means: "This node cannot serve: Redis is down, keepalived is in FAULT, or it has given the VIP to a better copy.",
        todo: "rha status: is Redis down (rha redis start), keepalived in FAULT (rha explain vrrp-fault), or `aside` (rha explain \
               step-aside)?",
    },
    Text {
        names: &["stopped"],
        means: "keepalived was stopped here, so this node takes no part; Redis follows the others.",
        todo: "systemctl start keepalived.",
    },
];

/// Every grade of a check. (What it means stands beside the status already, in [`crate::views::explained`].)
pub(super) const GRADES: &[Text] = &[
    Text {
        names: &["ok", "slow"],
        means: "Redis answers. A slow answer (longer than [health] slow) counts as good.",
        todo: "For slow ones: redis-cli slowlog get; is the host overloaded, does a save or an AOF rewrite run?",
    },
    Text {
        names: &["loading"],
        means: "Redis reads its data set from disk. That is no failure, but it cannot be promoted.",
        todo: "Wait; redis-cli info persistence shows loading_eta_seconds.",
    },
    Text {
        names: &["busy"],
        means: "A script runs longer than Redis' limit, and everybody waits. No failover, unless busy is in fall_on.",
        todo: "redis-cli script kill; function kill for functions.",
    },
    Text {
        names: &["timeout"],
        means: "No answer within [health] timeout. fall of them in a row, and Redis is down.",
        todo: "Does the process stand still (top, state D or T)? A fork for a save on a big data set? Its host or its network?",
    },
    Text {
        names: &["refused"],
        means: "Nothing listens at its port: Redis does not run.",
        todo: "rha redis start; else its log.",
    },
    Text {
        names: &["unreachable"],
        means: "There is no way to its host.",
        todo: "ip route; ping; is the host up? Is a firewall in between?",
    },
    Text {
        names: &["auth"],
        means: "It refuses rha's login. An alarm, and no failover.",
        todo: "username and password_file in rha.toml, then reload rha.",
    },
    Text {
        names: &["misconf"],
        means: "It cannot save to disk and refuses writes.",
        todo: "df -h, df -i, its log; then redis-cli bgsave.",
    },
    Text {
        names: &["garbage"],
        means: "What answers at its port is no Redis.",
        todo: "ss -ltnp: who listens there? TLS, or another port in rha.toml?",
    },
    Text {
        names: &["degraded"],
        means: "It answers with an error that is none of the others.",
        todo: "Its log; redis-cli -p PORT info replication by hand.",
    },
];

/// Every condition of a switchover. (What it asks for stands beside it in the machine.)
pub(super) const SWITCHOVER: &[Text] = &[
    Text {
        names: &["not-paused", "not-tilted", "nothing-under-way"],
        means: "Something else has to be over first: a pause, a look at everything after a stall, an order or another switchover.",
        todo: "rha resume for a pause; else wait some seconds and try again. rha status shows what is under way.",
    },
    Text {
        names: &[
            "primary-here",
            "redis-is-master",
            "keepalived-runs",
            "no-other-primary",
        ],
        means: "A switchover begins on the primary, and only while this node is well and serves alone.",
        todo: "rha status on both nodes: run it on the one that is primary. If that has an incident open, mend it first.",
    },
    Text {
        names: &["target-is-next"],
        means: "VRRP gives the VIP to the node of highest priority whose Redis runs; another one cannot be chosen.",
        todo: "Leave --to out, or change the order of the nodes.",
    },
    Text {
        names: &["target-not-paused"],
        means: "Automatic actions are paused on the other node: it would have the VIP and not promote its Redis.",
        todo: "rha resume on that node; rha status there says who paused it, and why.",
    },
    Text {
        names: &["target-answers", "target-follows"],
        means: "The other node's Redis is no whole, connected copy of this one: writes would be lost.",
        todo: "rha status there: is its Redis up, its link up, is it loading or receiving? Try again when it is a replica with its link \
               up.",
    },
];
