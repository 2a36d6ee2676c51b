import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { runCli, startCli } from '../../helpers/cli-process.js'
import { answerJson, startHttpStandIn } from '../../helpers/http-stand-in.js'
import { tempDir } from '../../helpers/temp-dir.js'
import { until } from '../../helpers/until.js'

function openStream(response: ServerResponse): (event: unknown) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-run-id': 'run-1' })
  response.flushHeaders()
  return (event) => void response.write(`data: ${JSON.stringify(event)}\n\n`)
}

const RUN = ['pipeline', 'run', '--no-workdir', '-s']

describe('pipeline run', () => {
  it('shows output where it belongs and exits with the code of the run', async (t) => {
    const { url, seen } = await startHttpStandIn(t, async (_, response) => {
      const send = openStream(response)
      response.write(': ping\n\n')
      send({ stream: 'stdout', data: 'one\n' })
      send({ stream: 'stderr', data: 'oh\n' })
      response.write('data: not json\n\ndata: {"unknown":1}\n\n')
      // an event in two pieces, cut inside a character
      const line = Buffer.from(`data: {"stream":"stdout","data":"é\\n"}\n\n`)
      response.write(line.subarray(0, 33))
      await sleep(20)
      response.write(line.subarray(33))
      send({ event: 'exit', code: 3, run_id: 'run-1', message: 'it failed' })
      response.end()
    })
    const result = await runCli([...RUN, url, 'my/name', '--flag', '-s', '--', 'x y'])
    assert.deepEqual(result, {
      code: 3,
      signal: null,
      stdout: 'one\né\n',
      stderr: 'oh\nit failed\n',
    })
    assert.equal(seen[0]?.url, '/api/pipelines/my%2Fname/run')
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), { args: ['--flag', '-s', '--', 'x y'] })
  })

  it('sends the arguments and then the working directory, in chunks and without a word', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (_, response) => {
      openStream(response)({ event: 'exit', code: 0, run_id: 'run-1' })
      response.end()
    })
    const cwd = tempDir(t)
    writeFileSync(join(cwd, 'file'), 'x')
    const result = await runCli(['pipeline', 'run', '-s', url, 'hello', 'a', '--b'], { cwd })
    assert.deepEqual(result, { code: 0, signal: null, stdout: '', stderr: '' })
    const request = seen[0]
    assert.ok(request)
    const { headers, body } = request
    assert.equal(headers['transfer-encoding'], 'chunked')
    assert.equal(headers.accept, 'text/event-stream')
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(
      headers['content-type'] ?? '',
    )?.[1]
    const parts = body.split(`--${boundary}`)
    assert.equal(parts.length, 4)
    assert.equal(parts[1], '\r\nContent-Disposition: form-data; name="args"\r\n\r\n["a","--b"]\r\n')
    assert.match(
      parts[2] ?? '',
      /^\r\nContent-Disposition: form-data; name="workdir"; filename="workdir.tar.zst"\r\nContent-Type: application\/octet-stream\r\n\r\n\(/,
    )
    assert.equal(parts[3], '--\r\n')
  })

  it('takes a stream that ends too early for a failure', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      openStream(response)({ stream: 'stdout', data: 'one\n' })
      response.end()
    })
    const { code, stdout, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.equal(stdout, 'one\n')
    assert.match(stderr, /run pipeline: the server ended the stream before the run/)
  })

  it('takes a broken connection for a failure', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      openStream(response)({ stream: 'stdout', data: 'one\n' })
      setImmediate(() => response.destroy())
    })
    const { code, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.match(stderr, /run pipeline: error reading stream: /)
  })

  it('reports an error event', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      openStream(response)({ event: 'error', message: 'disk full' })
      response.end()
    })
    const { code, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.equal(stderr, 'error: disk full\n')
  })

  it('fails with a code that the system cannot keep, and no message steers the terminal', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      openStream(response)({ event: 'exit', code: 256, run_id: 'r', message: 'a\u001b[2J\tb\nc' })
      response.end()
    })
    const { code, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.equal(stderr, 'a\ufffd[2J\tb\nc\n')
  })

  it('does not read an endless line into memory', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => {
      openStream(response)
      response.write('data: ')
      const piece = Buffer.alloc(65_536, 'x')
      const write = (): void => {
        while (!response.destroyed && response.write(piece));
        if (!response.destroyed) response.once('drain', write)
      }
      write()
    })
    const { code, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.match(stderr, /a line of it is too long/)
  })

  it('prints a refusal as it came', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) =>
      answerJson(response, 409, { error: 'pipeline is paused' }),
    )
    const { code, stderr } = await runCli([...RUN, url, 'hello'])
    assert.equal(code, 1)
    assert.equal(
      stderr,
      'pocketci: error: run pipeline: server returned 409: {"error":"pipeline is paused"}\n',
    )
  })

  it('gives up after its time-out and says that the run goes on', async (t) => {
    const { url } = await startHttpStandIn(t, (_, response) => void openStream(response))
    const args = ['pipeline', 'run', '--no-workdir', '--timeout', '200ms', '-s', url, 'hello']
    const { code, stderr } = await runCli(args)
    assert.equal(code, 1)
    assert.match(stderr, /run pipeline: timed out after 0.2 s; the run goes on at the server/)
  })

  it('stops the run at Ctrl-C, waits for its end and exits with 130', async (t) => {
    let send: (event: unknown) => void = () => undefined
    const { url, seen } = await startHttpStandIn(t, (request, response) => {
      if (request.url !== '/api/runs/run-1/stop') {
        send = openStream(response)
        return send({ stream: 'stdout', data: 'working\n' })
      }
      answerJson(response, 200, { run_id: 'run-1', status: 'stopping' })
      send({ event: 'exit', code: 1, run_id: 'run-1', message: 'Run stopped by user' })
    })
    const cli = startCli([...RUN, url, 'hello'])
    await cli.says('working')
    cli.child.kill('SIGINT')
    const { code, stderr } = await cli.exited
    assert.equal(code, 130)
    assert.match(stderr, /Run stopped by user/)
    assert.equal(seen.at(-1)?.method, 'POST')
  })

  it('leaves at once at the second signal', async (t) => {
    const { url, seen } = await startHttpStandIn(t, (request, response) => {
      if (request.url === '/api/runs/run-1/stop') return answerJson(response, 200, {})
      openStream(response)({ stream: 'stdout', data: 'working\n' })
    })
    const cli = startCli([...RUN, url, 'hello'])
    await cli.says('working')
    cli.child.kill('SIGINT')
    await until('the stop was asked for', () => seen.length === 2)
    cli.child.kill('SIGTERM')
    assert.equal((await cli.exited).code, 143)
  })

  it('leaves at once when there is no run to stop yet', async (t) => {
    const { url, seen } = await startHttpStandIn(t, () => undefined)
    const cli = startCli([...RUN, url, 'hello'])
    await until('the request is there', () => seen.length === 1)
    cli.child.kill('SIGINT')
    assert.equal((await cli.exited).code, 130)
  })
})
