/** Something that a driver holds for a run of this instance, whether that run is known or not. */
export interface OwnedThing {
  runId: string
  kind: 'container' | 'volume' | 'network' | 'workspace' | 'processes'
  /** For people, and the same at each look. */
  name: string
}
