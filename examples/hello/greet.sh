#!/bin/sh
cat greeting.txt
echo "(prepared $(cat /prepared))"
