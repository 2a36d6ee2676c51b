/**
 * Templates that render other than with Go 1.26.8 and slim-sprig v3.0.0, and what those give.
 * docs/templates.md names each of these differences.
 */
export const DIFFERENCES: readonly (readonly [source: string, text: string, theirs: string])[] = [
  ['{{1e6}} {{1000000.0}}', '1000000 1000000', '1e+06 1e+06'],
  ['{{eq 1 1.0}} {{lt 1 1.5}}', 'true true', 'an error: int and float64 are not compared'],
  ['{{typeOf 1.0}} {{printf "%d" 2.0}}', 'int 2', 'float64 %!d(float64=2)'],
  ['{{slice .Name 1 3}} {{slice "héllo" 1 3}}', 'ho él', 'an error: slim-sprig slices lists alone'],
  ['{{upper .Missing}}|{{.Nil | trim}}|{{len .Nil}}', '||0', 'errors'],
  ['{{first .Nil | default "none"}}', 'none', 'an error'],
  ['{{trunc 2 "éa"}} {{substr 1 2 "éa"}}', 'éa a', 'broken characters: it counts bytes'],
  ['{{index .Nil "a" | default "d"}}', 'd', 'an error: index of untyped nil'],
  ['{{keys (dict "b" 1 "a" 2)}} {{values (dict "b" 1 "a" 2)}}', '[a b] [2 1]', 'in any order'],
]
