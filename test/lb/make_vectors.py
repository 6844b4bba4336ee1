#!/usr/bin/env python3
"""Recomputes the constants of hash_vectors.inc (needs `pip install xxhash`).

An independent, slow reading of the definitions of ring hash, Maglev and
bounded loads: exact where C++ uses tables and tricks.
"""
import math
import sys

import xxhash


def xxh(text, seed=0):
    return xxhash.xxh64(text.encode(), seed=seed).intdigest()


def normalize(groups):
    """[(group weight, [(key, weight)])] -> [(key, share)]"""
    total = sum(weight for weight, _ in groups)
    result = []
    for group_weight, hosts in groups:
        if group_weight == 0:
            continue
        share = group_weight / total
        hosts_sum = sum(weight for _, weight in hosts)
        result += [(key, weight * share / hosts_sum) for key, weight in hosts]
    return result


def ring(hosts, minimum, maximum):
    least = min(share for _, share in hosts)
    scale = min(math.ceil(least * minimum) / least, float(maximum))
    entries, current, target = [], 0.0, 0.0
    for key, share in hosts:
        target += scale * share
        i = 0
        while current < target:
            entries.append((xxh("%s_%d" % (key, i)), key))
            i += 1
            current += 1
    return sorted(entries)


def maglev(hosts, size):
    greatest = max(share for _, share in hosts)
    rows = [[key, share, xxh(key) % size, xxh(key, 1) % (size - 1) + 1, 0, 0.0]
            for key, share in sorted(hosts)]
    table, filled, turn = [None] * size, 0, 1
    while filled < size:
        for row in rows:
            if filled == size or turn * row[1] < row[5]:
                continue
            row[5] += greatest
            while table[(row[2] + row[3] * row[4]) % size] is not None:
                row[4] += 1
            table[(row[2] + row[3] * row[4]) % size] = row[0]
            row[4] += 1
            filled += 1
        turn += 1
    return table


class Mt19937:
    """The generator of the paper by Matsumoto and Nishimura (1998)."""

    def __init__(self, seed):
        self.state = [seed & 0xffffffff]
        for i in range(1, 624):
            last = self.state[-1]
            self.state.append(
                (1812433253 * (last ^ (last >> 30)) + i) & 0xffffffff)
        self.next = 624

    def __call__(self):
        s = self.state
        if self.next == 624:
            for i in range(624):
                y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff)
                s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (
                    0x9908b0df if y & 1 else 0)
            self.next = 0
        y = s[self.next]
        self.next += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9d2c5680
        y ^= (y << 15) & 0xefc60000
        return y ^ (y >> 18)


def probe_order(seed, n):
    random = Mt19937(seed)
    order = list(range(n))
    for i in range(n):
        k = n - i
        while True:
            j = random() // ((1 << 32) // k)
            if j < k:
                break
        order[i], order[i + j] = order[i + j], order[i]
    return order


def fold(items):
    """One number for a long list: XXH64 of the items joined by commas."""
    return xxh(",".join(items))


def main(out):
    names = ["127.0.0.1:%d" % port for port in range(90, 96)]
    equal = normalize([(1, [(name, 1) for name in names])])
    weighted = normalize([(1, [(name, i + 1)
                               for i, name in enumerate(names)])])
    local = normalize([(3, [(name, i + 1) for i, name in enumerate(names[:2])]),
                       (0, [(names[2], 5)]),
                       (7, [(name, 2) for name in names[3:]])])
    out.write("// Made by make_vectors.py; do not edit.\n")

    def write_ring(name, entries):
        out.write("constexpr RingVector %s[] = {\n" % name)
        for value, key in entries:
            out.write('    {%du, "%s"},\n' % (value, key))
        out.write("};\n")

    write_ring("kRingEqual", ring(equal, 12, 8388608))
    write_ring("kRingWeighted", ring(weighted, 30, 8388608))
    write_ring("kRingCapped", ring(equal, 64, 8))
    write_ring("kRingLocalities", ring(local, 20, 8388608))
    many = normalize([(1, [("10.0.%d.%d:8080" % (i // 250, i % 250), 1 + i % 7)
                           for i in range(1000)])])
    entries = ring(many, 5000, 8388608)
    out.write("constexpr size_t kRingManySize = %d;\n" % len(entries))
    out.write("constexpr uint64_t kRingManyFold = %du;\n" %
              fold("%d %s" % entry for entry in entries))

    def write_table(name, table):
        out.write("constexpr const char* %s[] = {\n" % name)
        for key in table:
            out.write('    "%s",\n' % key)
        out.write("};\n")

    write_table("kMaglevEqual", maglev(equal, 17))
    write_table("kMaglevWeighted", maglev(weighted, 31))
    write_table("kMaglevLocalities", maglev(local, 23))
    out.write("constexpr uint64_t kMaglevManyFold = %du;\n" %
              fold(maglev(many, 65537)))
    same = normalize([(1, [(key, 1) for key, _ in many])])
    out.write("constexpr uint64_t kMaglevManyEqualFold = %du;\n" %
              fold(maglev(same, 65537)))
    out.write("constexpr uint32_t kProbeOrder[] = {%s};\n" % ", ".join(
        map(str, probe_order(0x89abcdef, 12))))


if __name__ == "__main__":
    main(sys.stdout)
