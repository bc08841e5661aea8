# SPDX-License-Identifier: MIT
# Lines of nssbench, with size and round before them, to rows of the table: the best round of each
# module beside the floor's best. The target: 1.25 times the floor, or 10 ns more.
BEGIN { FS = OFS = "\t" }
NF >= 9 {
	k = $1 FS $4 FS $3 FS $5
	if (!(k in best)) { key[++last] = k; best[k] = $6 + 0 }
	if ($6 + 0 < best[k]) best[k] = $6 + 0
}
NF > 0 && NF < 9 { bad[$1 FS $4 FS $3 FS $5] = $6 }
END {
	for (i = 1; i <= last; i++) {
		split(key[i], f, FS)
		if (f[4] == "floor") continue
		ours = best[key[i]]
		floor = best[f[1] FS f[2] FS f[3] FS "floor"]
		limit = floor * 1.25 > floor + 10 ? floor * 1.25 : floor + 10
		name = f[3] ", " f[1] " users" (f[2] > 1 ? ", " f[2] " threads" : "")
		if (f[4] == "prism")
			print "nss warm", name, sprintf("%.1f", ours), floor, "ns", sprintf("%.1f", limit), ours <= limit ? "ok" : "OVER"
		else
			print "peer " f[4], name, sprintf("%.0f", ours), floor, "ns", "-", "-"
	}
	for (k in bad) {
		split(k, f, FS)
		print (f[4] == "prism" ? "nss warm" : "peer " f[4]), f[3] ", " f[1] " users", bad[k], "-", "-", "-", f[4] == "prism" ? "BAD" : "-"
	}
}
