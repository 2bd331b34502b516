# What the pictures of engines share: palette (Okabe and Ito), one colour and one point shape an engine, the line that tells how to make the picture again.
# Loaded after bench-params.gp or fidelity-params.gp, which figures.c writes: made, engines, name(e), colour(e), shape(e).
ink = "#333333"
set datafile separator "\t"
set border 3 lw 0.6 lc rgb ink
set tics out nomirror textcolor rgb ink font ",11"
set title font ",14" textcolor rgb ink offset 0,0.2
set label 99 made at screen 0.012,screen (made_at) left font ",11" textcolor rgb "#666666"
unset key
# The engines' names with their shapes, one beside the other.
legend_at(e) = 0.5 + 0.13 * (e - engines / 2.0)
do for [e = 0 : engines - 1] {
    set label 80 + e name(e) at screen legend_at(e),screen (legend_y) left offset 1.6,0 font ",11" textcolor rgb colour(e) point pt shape(e) ps 1.1 lc rgb colour(e)
}
open_svg(name, w, h) = sprintf("set terminal svg size %d,%d dynamic background rgb '#FFFFFF' font 'DejaVu Sans,11'; set output '%s.svg'", w, h, name)
open_png(name, w, h) = sprintf("set terminal pngcairo size %d,%d background rgb '#FFFFFF' font 'DejaVu Sans,11'; set output '%s.png'", w, h, name)
