# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set is for the tests
# Sourced after tests/cli/lib.sh: curl as a browser, and the superadmin's way into the API.
#
#	ca_make NAMES		$T/ca.pem, and a certificate for them in $T/idp.pem, $T/idp.key
#	master_make		$T/master.keys
#	api METHOD PATH [JSON]	as the superadmin, or with $token: $status and $out
#	b JAR PATH [OPTION...]	a page of the service, with the cookies of a browser: $status, $out, $location;
#				$site is what it says of where it comes from
#	at JAR URL		the same of another site, which redirects: $location
#	from ADDRESS		where the next requests come from: 127.0.0.x
#	shown			the words of the page in $out
#	db SQL			of the service's database
#	fault			of the newest event of the audit: "ACTION WORD"

token='' location='' source_address=127.0.0.1 site=same-origin

ca_make() { # NAMES: as subjectAltName has them
	local new=(openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
	"${new[@]}" -x509 -days 2 -subj "/CN=Test CA" -keyout "$T/ca.key" -out "$T/ca.pem" 2>/dev/null &&
		"${new[@]}" -subj "/CN=idp" -keyout "$T/idp.key" -out "$T/idp.csr" 2>/dev/null &&
		openssl x509 -req -in "$T/idp.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
			-extfile <(echo "subjectAltName=$1") -out "$T/idp.pem" 2>/dev/null
}

master_make() {
	install -m 600 /dev/null "$T/master.keys"
	echo "first $(openssl rand -base64 32)" >"$T/master.keys"
}

from() { source_address=$1; }

api() { # METHOD PATH [JSON]
	local args=(-sS -k -o "$T/out" -w '%{http_code}' --interface "$source_address" -X "$1")
	[ -z "$token" ] || args+=(-H "Authorization: Bearer $token")
	[ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' --data-binary "$3")
	: >"$T/out"
	status=$(curl "${args[@]}" "$CENTRAL_URL/api/v1$2" 2>"$T/err")
	out=$(cat "$T/out") err=$(cat "$T/err")
}
get() { jq -r "$1" <<<"$out"; }

boss_token() {
	token=
	api POST /sessions '{"login": "boss", "password": "boss-password-17"}'
	token=$(get .token)
}

b() { # JAR PATH [OPTION...]
	local jar=$T/jar.$1 path=$2
	shift 2
	status=$(curl -sS -k -o "$T/out" -D "$T/head" -b "$jar" -c "$jar" -w '%{http_code}' --max-time 60 \
		--interface "$source_address" -H "Sec-Fetch-Site: $site" "$@" "$CENTRAL_URL$path" 2>"$T/err")
	out=$(tr -d '\0' <"$T/out") err=$(cat "$T/err")
	location=$(sed -n 's/^[Ll]ocation: \(.*\)\r$/\1/p' "$T/head")
}

at() { # JAR URL [OPTION...]
	local jar=$T/jar.$1 url=$2
	shift 2
	curl -sS --cacert "$T/ca.pem" -o "$T/out" -D "$T/head" -b "$jar" -c "$jar" --noproxy '*' "$@" "$url" 2>"$T/err"
	location=$(sed -n 's/^[Ll]ocation: \(.*\)\r$/\1/p' "$T/head")
}

shown() {
	sed -n '/<main>/,/<\/main>/p' <<<"$out" | sed -e 's/<[^>]*>/ /g' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

form_field() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" <<<"$out" | tail -n 1; }

db() { sqlite3 "$T/central/prism.db" "$1"; }
fault() { db "SELECT action || ' ' || COALESCE(json_extract(detail, '\$.fault'), '') FROM audit ORDER BY seq DESC LIMIT 1"; }
