import { Intrinsics } from 'quickjs-wasi'

/** Files of the prelude in the engine's stacks begin so. */
export const PRELUDE_PREFIX = 'pocketci:'

/** What every VM has, the one of the image and those that start from it. */
export const ENGINE_OPTIONS = {
  /** In a thread, more recursion than this overflows the thread's own stack first. */
  maxStackSize: 256 * 1024,
  timezoneOffset: 0,
  /** The standard library, without what only browsers define. */
  intrinsics:
    (Intrinsics.ALL &
      ~(Intrinsics.PERFORMANCE | Intrinsics.DOM_EXCEPTION | Intrinsics.ATOB_BTOA)) >>>
    0,
} as const
