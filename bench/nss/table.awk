# SPDX-License-Identifier: MIT
# Rows of table.tsv for people: lookups with all who answered them on one line, then the rest.
BEGIN { FS = "\t" }

function short(ns) {
	if (ns !~ /^[0-9.]+$/)
		return ns == "" ? "." : tolower(ns)
	if (ns < 99.95)
		return sprintf("%.1f", ns)
	if (ns < 9999.5)
		return sprintf("%.0f", ns)
	return ns < 9999500 ? sprintf("%.0fk", ns / 1e3) : sprintf("%.1fM", ns / 1e6)
}

$1 == "nss warm" || $1 ~ /^peer / {
	if (!($2 in seen)) {
		seen[$2] = 1
		lookup[++lookups] = $2
	}
	who = $1 == "nss warm" ? "prism" : substr($1, 6)
	if (who != "prism" && !(who in known)) {
		known[who] = 1
		peer[++peers] = who
	}
	ns[$2, who] = $3
	if (who == "prism") {
		floor[$2] = $4
		limit[$2] = $6
		verdict[$2] = $7
	}
	next
}

{
	rest[++rests] = $0
	if (length($2) > wide)
		wide = length($2)
}

END {
	printf "%-40s %8s %8s %8s %-7s", "lookups, ns, warm, random keys", "prism", "floor", "limit", "verdict"
	for (p = 1; p <= peers; p++)
		printf " %10s", peer[p]
	print ""
	for (i = 1; i <= lookups; i++) {
		n = lookup[i]
		printf "%-40s %8s %8s %8s %-7s", n, short(ns[n, "prism"]), short(floor[n]), short(limit[n]), verdict[n]
		for (p = 1; p <= peers; p++)
			printf " %10s", short(ns[n, peer[p]])
		print ""
	}
	printf "\n%-10s %-*s %10s %10s %-5s %12s  %s\n", "section", wide, "name", "ours", "reference", "unit", "target", "verdict"
	for (i = 1; i <= rests; i++) {
		split(rest[i], f, FS)
		printf "%-10s %-*s %10s %10s %-5s %12s  %s\n", f[1], wide, f[2], f[3], f[4], f[5], f[6], f[7]
	}
}
