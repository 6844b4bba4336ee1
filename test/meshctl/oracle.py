#!/usr/bin/env python3
"""Holds meshctl against an independent computation of the same formulas.

    oracle.py MESHCTL [--configs N] [--seed S]

Generates random configurations (as JSON, which the loader reads too) and
computes from each, in this file alone:
  - the loads of the priorities, degraded loads, overprovisioning and panic,
  - effective locality weights,
  - ring-hash rings and Maglev tables, with an XXH64 of its own,
  - where a hash goes,
  - the shares of weighted hosts and localities.
Then asks `meshctl --json` and compares. Needs the standard library only.
"""

import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F,
                      0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                      0x27D4EB2F165667C5)


def rotl(x, r):
    return ((x << r) | (x >> (64 - r))) & MASK


def xxh64_round(acc, lane):
    return rotl((acc + lane * P2) & MASK, 31) * P1 & MASK


def xxh64(data, seed=0):
    """XXH64 as its specification has it (xxHash, doc/xxhash_spec.md)."""
    length, at = len(data), 0
    if length >= 32:
        acc = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed,
               (seed - P1) & MASK]
        while at + 32 <= length:
            for i in range(4):
                lane = int.from_bytes(data[at + 8 * i:at + 8 * i + 8],
                                      "little")
                acc[i] = xxh64_round(acc[i], lane)
            at += 32
        h = sum(rotl(a, r) for a, r in zip(acc, (1, 7, 12, 18))) & MASK
        for a in acc:
            h = ((h ^ xxh64_round(0, a)) * P1 + P4) & MASK
    else:
        h = (seed + P5) & MASK
    h = (h + length) & MASK
    while at + 8 <= length:
        lane = int.from_bytes(data[at:at + 8], "little")
        h = (rotl(h ^ xxh64_round(0, lane), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= length:
        lane = int.from_bytes(data[at:at + 4], "little")
        h = (rotl(h ^ (lane * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    while at < length:
        h = rotl(h ^ (data[at] * P5 & MASK), 11) * P1 & MASK
        at += 1
    h = (h ^ (h >> 33)) * P2 & MASK
    h = (h ^ (h >> 29)) * P3 & MASK
    return h ^ (h >> 32)


assert xxh64(b"") == 0xEF46DB3751D8E999
assert xxh64(b"a") == 0xD24EC4F1A98C6E5B
assert xxh64(b"Nobody inspects the spammish repetition") == \
    0xFBCEA83C8A378BF1


# The configuration in a form that is easy to compute with.

class Host:
    def __init__(self, address, port, weight, health):
        self.address = f"{address}:{port}"
        self.ip, self.port = address, port
        self.weight = weight
        self.health = health

    def state(self):
        if self.health in (None, "UNKNOWN", "HEALTHY"):
            return "healthy"
        return "degraded" if self.health == "DEGRADED" else "unhealthy"


class Locality:
    def __init__(self, region, zone, sub_zone, priority, weight, hosts):
        self.region, self.zone, self.sub_zone = region, zone, sub_zone
        self.priority, self.weight, self.hosts = priority, weight, hosts

    def key(self):
        return (self.region, self.zone, self.sub_zone)


class Cluster:
    def __init__(self, name, policy, localities, **settings):
        self.name, self.policy, self.localities = name, policy, localities
        self.opf = settings.get("opf", 140)
        self.panic_threshold = settings.get("panic", 50)
        self.locality_weighted = settings.get("locality_weighted", False)
        self.ring_min = settings.get("ring_min", 1024)
        self.ring_max = settings.get("ring_max", 8 * 1024 * 1024)
        self.table_size = settings.get("table_size", 65537)

    def priorities(self):
        return 1 + max(l.priority for l in self.localities)

    def of_priority(self, p):
        return [l for l in self.localities if l.priority == p]

    def hosts(self, p):
        return [h for l in self.of_priority(p) for h in l.hosts]

    def to_json(self):
        common = {"healthy_panic_threshold": {"value": self.panic_threshold}}
        if self.locality_weighted:
            common["locality_weighted_lb_config"] = {}
        out = {
            "name": self.name, "type": "STATIC", "connect_timeout": "1s",
            "lb_policy": self.policy, "common_lb_config": common,
            "load_assignment": {
                "cluster_name": self.name,
                "policy": {"overprovisioning_factor": self.opf},
                "endpoints": [locality_json(l) for l in self.localities],
            },
        }
        if self.policy == "RING_HASH":
            out["ring_hash_lb_config"] = {
                "minimum_ring_size": self.ring_min,
                "maximum_ring_size": self.ring_max}
        if self.policy == "MAGLEV":
            out["maglev_lb_config"] = {"table_size": self.table_size}
        return out


def locality_json(locality):
    out = {"priority": locality.priority, "lb_endpoints": [],
           "locality": {"region": locality.region, "zone": locality.zone,
                        "sub_zone": locality.sub_zone}}
    if locality.weight is not None:
        out["load_balancing_weight"] = locality.weight
    for h in locality.hosts:
        endpoint = {"endpoint": {"address": {"socket_address": {
            "address": h.ip, "port_value": h.port}}},
            "load_balancing_weight": h.weight}
        if h.health is not None:
            endpoint["health_status"] = h.health
        out["lb_endpoints"].append(endpoint)
    return out


# The formulas.

def count(hosts, state):
    return sum(1 for h in hosts if h.state() == state)


def priority_loads(cluster):
    """[(healthy load, degraded load, panic)] by priority."""
    sets = [cluster.hosts(p) for p in range(cluster.priorities())]

    def availability(hosts, state):
        if not hosts:
            return 0
        return min(100, cluster.opf * count(hosts, state) // len(hosts))

    healthy = [availability(s, "healthy") for s in sets]
    degraded = [availability(s, "degraded") for s in sets]
    total = min(100, sum(healthy) + sum(degraded))
    loads, degraded_loads = [0] * len(sets), [0] * len(sets)
    if total > 0:
        left = 100
        for p, value in enumerate(healthy):
            loads[p] = min(left, value * 100 // total)
            left -= loads[p]
        for p, value in enumerate(degraded):
            degraded_loads[p] = min(left, value * 100 // total)
            left -= degraded_loads[p]
        if left > 0:
            for values, out in ((healthy, loads), (degraded, degraded_loads)):
                first = next((p for p, v in enumerate(values) if v), None)
                if first is not None:
                    out[first] += left
                    break
    panic = []
    for s in sets:
        share = 100 * (count(s, "healthy") + count(s, "degraded")) / len(s) \
            if s else 0
        panic.append(total != 100 and share < cluster.panic_threshold)
    everything = sum(len(s) for s in sets)
    if all(panic) and everything:
        loads = [100 * len(s) // everything for s in sets]
        degraded_loads = [0] * len(sets)
        first = next(p for p, s in enumerate(sets) if s)
        loads[first] += 100 - sum(loads)
    elif total == 0:
        loads[0] = 100
    return list(zip(loads, degraded_loads, panic))


def effective_weight(cluster, locality):
    if not locality.weight or not locality.hosts:
        return 0.0
    share = count(locality.hosts, "healthy") / len(locality.hosts)
    return locality.weight * min(1.0, cluster.opf / 100 * share)


def normalized_weights(cluster, p):
    """[(host, weight)] whose weights sum up to 1, for hashing policies."""
    panic = priority_loads(cluster)[p][2]

    def chosen(hosts):
        return [h for h in hosts if panic or h.state() == "healthy"]

    def share(hosts, of):
        total = sum(h.weight for h in hosts)
        return [(h, h.weight * of / total) for h in hosts]

    if not cluster.locality_weighted:
        return share(chosen(cluster.hosts(p)), 1.0)
    localities = sorted(cluster.of_priority(p), key=Locality.key)
    total = sum(l.weight or 0 for l in localities)
    out = []
    for l in localities:
        if l.weight:
            out += share(chosen(l.hosts), l.weight / total)
    return out


def ring(cluster, p):
    weights = normalized_weights(cluster, p)
    if not weights:
        return []
    least = min(w for _, w in weights)
    scale = min(math.ceil(least * cluster.ring_min) / least,
                float(cluster.ring_max))
    entries, placed, target = [], 0.0, 0.0
    for host, weight in weights:
        target += scale * weight
        i = 0
        while placed < target:
            key = f"{host.address}_{i}".encode()
            entries.append((xxh64(key), host.address))
            i += 1
            placed += 1.0
    return sorted(entries)


def maglev(cluster, p):
    weights = normalized_weights(cluster, p)
    if not weights:
        return []
    size = cluster.table_size
    largest = max(w for _, w in weights)
    builders = []
    for host, weight in sorted(weights, key=lambda x: x[0].address):
        key = host.address.encode()
        builders.append({"host": host.address, "weight": weight,
                         "target": 0.0, "next": 0, "offset": xxh64(key) % size,
                         "skip": xxh64(key, 1) % (size - 1) + 1})
    slots, filled, turn = [None] * size, 0, 0
    while filled < size:
        turn += 1
        for b in builders:
            if filled == size:
                break
            if turn * b["weight"] < b["target"]:
                continue
            b["target"] += largest
            while True:
                place = (b["offset"] + b["skip"] * b["next"]) % size
                b["next"] += 1
                if slots[place] is None:
                    break
            slots[place] = b["host"]
            filled += 1
    return slots


# Random configurations.

PRIMES = (7, 101, 251, 1009, 5003)
HEALTHS = (None, None, "HEALTHY", "UNKNOWN", "UNHEALTHY", "DRAINING",
           "TIMEOUT", "DEGRADED")


def random_cluster(rng, name, policy):
    weighted = rng.random() < 0.6
    sick = rng.choice((0.0, 0.0, 0.3, 0.7, 1.0))
    number = 0
    localities = []
    for p in range(rng.randint(1, 3)):
        zones = rng.sample("abcdef", rng.randint(1, 3))
        for zone in zones:
            hosts = []
            for _ in range(rng.randint(1, 5)):
                number += 1
                health = rng.choice(HEALTHS) if rng.random() < sick else None
                hosts.append(Host(f"10.{p}.{rng.randint(0, 255)}.{number}",
                                  rng.choice((80, 8080)),
                                  rng.choice((1, 1, 1, 2, 3, 5, 10)), health))
            weight = rng.choice((None, 1, 1, 2, 3, 10))
            localities.append(Locality(f"r{rng.randint(0, 1)}", zone,
                                       rng.choice(("", "s")), p, weight,
                                       hosts))
    if weighted and not any(l.weight for l in localities):
        localities[0].weight = 1
    ring_min = rng.choice((1, 10, 64, 1024))
    return Cluster(name, policy, localities,
                   opf=rng.choice((100, 140, 140, 200)),
                   panic=rng.choice((0, 50, 50, 100)),
                   locality_weighted=weighted, ring_min=ring_min,
                   ring_max=rng.choice((ring_min, 2000, 8388608)),
                   table_size=rng.choice(PRIMES))


# The comparison.

# How far a share that takes turns may be off, in requests: a schedule starts
# anywhere, and its order has small waves.
TURNS = 2.5


class Checker:
    def __init__(self, meshctl):
        self.meshctl = meshctl
        self.checks = 0
        self.wrong = []
        self.where = ""

    def expect(self, what, got, want):
        self.checks += 1
        if got != want:
            self.wrong.append(f"{self.where}: {what}: got {str(got)[:600]}, "
                              f"want {str(want)[:600]}")

    def near(self, what, got, want, within):
        self.checks += 1
        if abs(got - want) > within:
            self.wrong.append(f"{self.where}: {what}: got {got}, want {want} "
                              f"within {within}")

    def run(self, *arguments, code=0):
        done = subprocess.run([self.meshctl, *map(str, arguments), "--json"],
                              capture_output=True, text=True, timeout=120)
        self.expect(f"exit code of {arguments[0]} ({done.stderr[:300]})",
                    done.returncode, code)
        return json.loads(done.stdout)

    def check_explain(self, path, cluster):
        answer = self.run("explain", "-c", path, "--authority",
                          f"cluster:{cluster.name}")
        got = [(p["healthy_load"], p["degraded_load"], p["panic"])
               for p in answer["priorities"]]
        want = priority_loads(cluster)
        self.expect("priority loads", got, want)
        hashing = cluster.policy in ("RING_HASH", "MAGLEV")
        if cluster.locality_weighted and not hashing:
            for l in cluster.localities:
                if want[l.priority][2]:
                    continue  # all hosts alike: weights do not matter
                found = [x["effective_weight"] for x in answer["localities"]
                         if (x["priority"], x["region"], x["zone"],
                             x["sub_zone"]) == (l.priority, *l.key())]
                if len(found) != 1:
                    self.expect(f"entries of {l.key()}", len(found), 1)
                    continue
                self.near(f"effective weight of {l.key()}", found[0],
                          effective_weight(cluster, l),
                          1e-5)

    def check_tables(self, path, cluster):
        for p in range(cluster.priorities()):
            want = (ring if cluster.policy == "RING_HASH" else maglev)(
                cluster, p)
            if not want:
                continue
            answer = self.run("table", "-c", path, "--cluster", cluster.name,
                              "--priority", p)
            if cluster.policy == "MAGLEV":
                self.expect(f"Maglev table of P{p}", answer["slots"], want)
                continue
            got = [(int(e["hash"]), e["address"]) for e in answer["entries"]]
            self.expect(f"ring of P{p}", got, want)

    def check_hash(self, path, cluster, rng):
        """Where a hash goes: priority by hash % 100 + 1, then the table."""
        for _ in range(3):
            self.check_one_hash(path, cluster, rng.getrandbits(64))

    def check_one_hash(self, path, cluster, h):
        loads = priority_loads(cluster)
        r, p = h % 100 + 1, None
        sums = [(i, l[0]) for i, l in enumerate(loads)] + \
               [(i, l[1]) for i, l in enumerate(loads)]
        for i, load in sums:
            r -= load
            if r <= 0:
                p = i
                break
        if p is None:
            return
        want = None
        if cluster.policy == "RING_HASH":
            entries = ring(cluster, p)
            if entries:
                want = next((a for x, a in entries if x >= h), entries[0][1])
        else:
            slots = maglev(cluster, p)
            want = slots[h % len(slots)] if slots else None
        answer = self.run("simulate", "-c", path, "--authority",
                          f"cluster:{cluster.name}", "--requests", 3,
                          "--seed", 1, "--hash", h, "--picks")
        self.expect(f"picks of hash {h}", answer["picks"],
                    [want] * 3 if want else [])

    def check_shares(self, path, cluster, rng):
        requests = 20000
        answer = self.run("simulate", "-c", path, "--authority",
                          f"cluster:{cluster.name}", "--requests", requests,
                          "--seed", rng.getrandbits(64))
        loads = priority_loads(cluster)
        by_priority = {p["priority"]: p["requests"]
                       for p in answer["priorities"]}
        by_host = {h["address"]: h["requests"] for h in answer["hosts"]}
        for p, (healthy, degraded, panic) in enumerate(loads):
            hosts = cluster.hosts(p)
            usable = [h for h in hosts if panic or h.state() == "healthy"]
            if degraded or (healthy and not usable):
                continue  # two schedules, or requests that fail
            share = healthy / 100
            got = by_priority[p]
            self.near(f"requests of P{p}", got, requests * share,
                      5 * math.sqrt(requests * share * (1 - share)) + 1e-6)
            self.check_hosts(cluster, p, panic, usable, got, by_host)
        for h in (h for p, l in enumerate(loads) if not l[2]
                  for h in cluster.hosts(p)):
            if h.state() == "unhealthy":
                self.expect(f"requests of unhealthy {h.address}",
                            by_host[h.address], 0)

    def check_hosts(self, cluster, p, panic, usable, requests, by_host):
        """Turns are exact: no host is off by more than a turn or two."""
        if not cluster.locality_weighted or panic:
            total = sum(h.weight for h in usable)
            for h in usable:
                self.near(f"requests of {h.address}", by_host[h.address],
                          requests * h.weight / total, TURNS)
            return
        localities = cluster.of_priority(p)
        weights = [effective_weight(cluster, l) for l in localities]
        if sum(weights) == 0:
            return
        for l, weight in zip(localities, weights):
            inside = [h for h in l.hosts if h.state() == "healthy"]
            got = sum(by_host[h.address] for h in inside)
            self.near(f"requests of {l.key()}", got,
                      requests * weight / sum(weights), TURNS)
            total = sum(h.weight for h in inside)
            for h in inside:
                self.near(f"requests of {h.address}", by_host[h.address],
                          got * h.weight / total, TURNS)


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    options = dict(zip(arguments[1::2], arguments[2::2]))
    configs = int(options.get("--configs", 50))
    seed = int(options.get("--seed", 2024))
    checker = Checker(arguments[0])
    for i in range(configs):
        rng = random.Random(f"{seed}/{i}")
        clusters = [random_cluster(rng, policy.lower(), policy)
                    for policy in ("ROUND_ROBIN", "RING_HASH", "MAGLEV")]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "mesh.json"
            path.write_text(json.dumps({"static_resources": {
                "clusters": [c.to_json() for c in clusters]}}))
            for cluster in clusters:
                checker.where = f"--seed {seed}, configuration {i}, " \
                                f"{cluster.name}"
                checker.check_explain(path, cluster)
                if cluster.policy == "ROUND_ROBIN":
                    checker.check_shares(path, cluster, rng)
                else:
                    checker.check_tables(path, cluster)
                    checker.check_hash(path, cluster, rng)
    for line in checker.wrong[:20]:
        print(line)
    print(f"oracle: {configs} configurations, {checker.checks} checks, "
          f"{len(checker.wrong)} wrong")
    return 1 if checker.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
