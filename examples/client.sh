#!/bin/sh
# Classify pictures with Digitserve: sh examples/client.sh 7.png ...  Needs curl and a POSIX shell.
set -eu

url=${DIGITSERVE_URL:-http://127.0.0.1:8000}

# Print the value of a member of the JSON object $answer. A program for nested objects would use jq.
member() {
  printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"]*\).*/\1/p"
}

for name in "$@"; do
  # Without the empty header, curl would call the picture a form.
  answer=$(curl --silent --show-error --header 'Content-Type:' --data-binary "@$name" "$url/predict")
  case $answer in
    *'"abstained":false'*) echo "$name: $(member digit) (confidence $(member confidence))" ;;
    *'"abstained":true'*) echo "$name: not sure ($(member reason)), perhaps $(member digit)" ;;
    *) echo "$name: $(member title)" ;;
  esac
done
