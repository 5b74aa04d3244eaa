package main

const sysSeccomp = 354
