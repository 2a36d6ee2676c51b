import type { OutputStream } from '../shared/contract/statuses.js'

/** Turns the bytes of steps into text; a chunk may end inside a character, which then waits. */
export interface OutputDecoder {
  decode(chunk: { step: number; stream: OutputStream; bytes: Uint8Array }): string
  /** What was cut off at the end of a step's streams, as replacement characters. */
  end(step: number): { stream: OutputStream; text: string }[]
  endAll(): { step: number; stream: OutputStream; text: string }[]
}

const STREAMS = ['stdout', 'stderr'] as const

export function createOutputDecoder(): OutputDecoder {
  const steps = new Map<number, Record<OutputStream, TextDecoder>>()
  const end = (step: number): { stream: OutputStream; text: string }[] => {
    const decoders = steps.get(step)
    steps.delete(step)
    if (!decoders) return []
    return STREAMS.map((stream) => ({ stream, text: decoders[stream].decode() })).filter(
      ({ text }) => text !== '',
    )
  }

  return {
    decode({ step, stream, bytes }) {
      let decoders = steps.get(step)
      if (!decoders) steps.set(step, (decoders = { stdout: newDecoder(), stderr: newDecoder() }))
      return decoders[stream].decode(bytes, { stream: true })
    },
    end,
    endAll: () => [...steps.keys()].flatMap((step) => end(step).map((rest) => ({ step, ...rest }))),
  }
}

/** A byte order mark is output like any other. */
function newDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true })
}
