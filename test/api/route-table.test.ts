import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Action, Resource } from '../../src/shared/authorize.js'
import { startTestApi } from '../helpers/api.js'

/** Whoever adds a route says here what it is. */
const ROUTES: Record<string, Action> = {
  'GET /health': 'public',
  'GET /health/': 'public',
  'GET /ready': 'public',
  'GET /static/:file': 'public',
  'GET /api/drivers': 'server.read',
  'GET /api/features': 'server.read',
  'GET /api/pipelines': 'pipeline.list',
  'GET /api/pipelines/:id': 'pipeline.read',
  'GET /api/pipelines/:id/runs': 'run.list',
  'POST /api/pipelines/:id/pause': 'pipeline.pause',
  'POST /api/pipelines/:id/unpause': 'pipeline.pause',
  'DELETE /api/pipelines/:id': 'pipeline.delete',
  'PUT /api/pipelines/:id': 'pipeline.set',
  'POST /api/pipelines/:id/trigger': 'pipeline.run',
  'POST /api/pipelines/:name/run': 'pipeline.run',
  'GET /api/pipelines/:id/schedules': 'pipeline.read',
  'PUT /api/schedules/:id/enabled': 'pipeline.pause',
  'POST /api/pipelines/:id/jobs/:name/seed-passed': 'pipeline.run',
  'GET /api/runs': 'run.list',
  'GET /api/queue': 'run.list',
  'GET /api/runs/:run_id/status': 'run.read',
  'POST /api/runs/:run_id/stop': 'run.stop',
  'POST /api/runs/:run_id/resume': 'run.resume',
  'POST /api/runs/:run_id/rerun': 'run.resume',
  'POST /api/runs/:run_id/retrigger': 'run.retrigger',
  'GET /api/runs/:run_id/tasks': 'run.read',
  'GET /api/runs/:run_id/logs': 'run.read',
  'GET /api/runs/:run_id/events': 'run.read',
  'GET /api/gates': 'gate.list',
  'GET /api/runs/:run_id/gates': 'run.read',
  'POST /api/gates/:gate_id/approve': 'gate.resolve',
  'POST /api/gates/:gate_id/reject': 'gate.resolve',
  'POST /gates/:gate_id/approve': 'gate.resolve',
  'POST /gates/:gate_id/reject': 'gate.resolve',
  'POST /api/webhooks/:id': 'public',
  'GET /api/pipelines/:id/deliveries': 'pipeline.read',
  'GET /api/pipelines/:id/deliveries/:delivery': 'pipeline.read',
  'GET /api/pipelines/:id/deliveries/:delivery/body': 'pipeline.read',
  'POST /api/pipelines/:id/deliveries/:delivery/redeliver': 'pipeline.run',
  'GET /pipelines/:id/deliveries': 'pipeline.read',
  'POST /pipelines/:id/deliveries/:delivery/redeliver': 'pipeline.run',
  'POST /api/runs/:run_id/share': 'run.share',
  'GET /api/runs/:run_id/shares': 'run.share',
  'DELETE /api/runs/:run_id/shares/:share_id': 'run.share',
  'GET /api/audit': 'audit.read',
  'GET /api/audit/export': 'audit.read',
  'POST /api/tokens': 'token.manage',
  'GET /api/tokens': 'token.manage',
  'DELETE /api/tokens/:token_id': 'token.manage',
  'GET /share/:token/tasks': 'public',
  'GET /share/:token/logs': 'public',
  'POST /mcp': 'server.read',
  'POST /mcp/': 'server.read',
  'GET /': 'pipeline.list',
  'GET /pipelines/': 'pipeline.list',
  'GET /pipelines/:id/': 'pipeline.read',
  'POST /pipelines/:id/trigger': 'pipeline.run',
  'POST /pipelines/:id/pause': 'pipeline.pause',
  'POST /pipelines/:id/unpause': 'pipeline.pause',
  'POST /pipelines/:id/schedules/:schedule_id/pause': 'pipeline.pause',
  'POST /pipelines/:id/schedules/:schedule_id/unpause': 'pipeline.pause',
  'GET /runs/:id': 'run.read',
  'GET /runs/:id/tasks': 'run.read',
  'POST /runs/:id/share': 'run.share',
  'POST /runs/:id/stop': 'run.stop',
  'POST /runs/:id/resume': 'run.resume',
  'POST /runs/:id/rerun': 'run.resume',
  'POST /runs/:id/retrigger': 'run.retrigger',
}

test('every route is classified', async (t) => {
  const { table } = await startTestApi(t)
  const listed = table.listRoutes().map(({ method, path, action }) => [`${method} ${path}`, action])
  assert.deepEqual(Object.fromEntries(listed), ROUTES)
})

test('express serves nothing that is not in the list', async (t) => {
  const { app, table } = await startTestApi(t)
  const listed = new Set(table.listRoutes().map(({ path }) => path))
  const served = app.router.stack.flatMap(({ route }) => (route ? [route.path] : []))
  assert.deepEqual(new Set(served), listed)
})

test('every route asks before it does anything; only probes and assets are public', async (t) => {
  const asked: [Action, Resource][] = []
  const { table, call } = await startTestApi(t, {
    deps: {
      authorize: (_actor, action, resource) => {
        asked.push([action, resource])
        return action === 'public' ? undefined : 'access denied'
      },
    },
  })
  for (const { method, path, action, resource } of table.listRoutes()) {
    asked.length = 0
    const { status, body } = await call(method, path.replace(/:\w+/g, 'some%20name'))
    const expected =
      resource === 'server' ? { kind: 'server' } : { kind: resource.kind, key: 'some name' }
    assert.deepEqual(asked, [[action, expected]], `${method} ${path}`)
    if (action !== 'public') assert.deepEqual([status, body['code']], [403, 'access_denied'])
  }
})
