# What every plot shares: palette (Okabe and Ito), axes, fault bands, the line that tells how to make the picture again. Loaded after params.gp, which plots.c writes:
# scenario, variant, seed, trace, duration (s), nodes, marks ...
leader = "#0072B2"; follower = "#56B4E9"; recovering = "#F0E442"; down = "#999999"; cut = "#CC79A7"
ok = "#009E73"; fail = "#D55E00"; unknown = "#E69F00"; ink = "#333333"; paper = "#FFFFFF"
made = sprintf("%s, variant %s, seed %s, trace %s", scenario, variant, seed, trace)

set datafile separator "\t"
set border 3 lw 0.6 lc rgb ink
set tics out nomirror textcolor rgb ink
set grid ytics lc rgb "#DDDDDD" lw 0.6 dt 1
set title font ",14" textcolor rgb ink offset 0,0.2
set key outside right top vertical Left reverse samplen 1.6 spacing 1.25 font ",11" textcolor rgb ink
set xrange [0:duration]
set xtics xstep font ",11"
set format x "%.0f"
minutes(x) = sprintf("%d:%02d", int(x) / 60, int(x) % 60)
# m:ss labels at every xstep
set xtics ()
do for [i = 0 : int(duration / xstep)] { set xtics add (minutes(i * xstep) i * xstep) }
set xlabel "time from the start of the run (m:ss)" font ",11" textcolor rgb ink
set label 99 made at screen 0.012,0.022 left font ",11" textcolor rgb "#666666"

open_svg(name, w, h) = sprintf("set terminal svg size %d,%d dynamic background rgb '#FFFFFF' font 'DejaVu Sans,11'; set output '%s.svg'", w, h, name)
open_png(name, w, h) = sprintf("set terminal pngcairo size %d,%d background rgb '#FFFFFF' font 'DejaVu Sans,11'; set output '%s.png'", w, h, name)
