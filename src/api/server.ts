import express, { type Express } from 'express'
import { createAccess } from './auth/access.js'
import { createContext, type ApiDeps } from './context.js'
import { accessLog } from './middleware/access-log.js'
import { checkHost } from './middleware/check-host.js'
import { checkPath } from './middleware/check-path.js'
import { errorHandler, notFound } from './middleware/errors.js'
import { refuseCrossSite } from './middleware/refuse-cross-site.js'
import { requestId } from './middleware/request-id.js'
import { securityHeaders } from './middleware/security-headers.js'
import { errorPage } from './pages/error-page.js'
import { createRouteTable, type RouteTable } from './route-table.js'
import { addAssetRoutes } from './routes/assets.js'
import { addAuditRoutes } from './routes/audit.js'
import { addDeviceLoginRoutes } from './routes/device-login.js'
import { addGateRoutes } from './routes/gates.js'
import { addMcpRoutes } from './routes/mcp.js'
import { addMetaRoutes } from './routes/meta.js'
import { addPageRoutes } from './routes/pages.js'
import { addPipelineRoutes } from './routes/pipelines.js'
import { addProbeRoutes } from './routes/probes.js'
import { addQueueRoutes } from './routes/queue.js'
import { addRunEventRoutes } from './routes/run-events.js'
import { addRunLogRoutes } from './routes/run-logs.js'
import { addRestartRoutes } from './routes/restart-runs.js'
import { addRunRoutes } from './routes/runs.js'
import { addSharedRunRoutes } from './routes/shared-runs.js'
import { addShareLinkRoutes } from './routes/share-links.js'
import { addScheduleRoutes } from './routes/schedules.js'
import { addSeedPassedRoute } from './routes/seed-passed.js'
import { addSetPipelineRoute } from './routes/set-pipeline.js'
import { addSignInRoutes } from './routes/sign-in.js'
import { addSignOutRoutes } from './routes/sign-out.js'
import { addSyncRunRoute } from './routes/sync-run.js'
import { addTaskRoutes } from './routes/tasks.js'
import { addTokenRoutes } from './routes/tokens.js'
import { addTriggerRoutes } from './routes/triggers.js'
import { addDeliveryRoutes } from './routes/deliveries.js'
import { addWebhookRoute } from './routes/webhooks.js'

export type { ApiDeps } from './context.js'

/** The whole api as an express app, with the list of what it serves. It holds nothing to close. */
export function createApi(deps: ApiDeps): { app: Express; table: RouteTable } {
  const context = createContext(deps)
  const table = createRouteTable()
  addProbeRoutes(table, context)
  addAssetRoutes(table, context)
  addMetaRoutes(table, context)
  addPipelineRoutes(table, context)
  addSetPipelineRoute(table, context)
  addTriggerRoutes(table, context)
  addSyncRunRoute(table, context)
  addSeedPassedRoute(table, context)
  addScheduleRoutes(table, context)
  addRunRoutes(table, context)
  addRestartRoutes(table, context)
  addQueueRoutes(table, context)
  addTaskRoutes(table, context)
  addRunLogRoutes(table, context)
  addRunEventRoutes(table, context)
  addGateRoutes(table, context)
  addWebhookRoute(table, context)
  addDeliveryRoutes(table, context)
  addShareLinkRoutes(table, context)
  addSharedRunRoutes(table, context)
  addSignOutRoutes(table, context)
  addDeviceLoginRoutes(table, context)
  addTokenRoutes(table, context)
  addAuditRoutes(table, context)
  addSignInRoutes(table, context)
  addMcpRoutes(table, context)
  addPageRoutes(table, context)

  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.disable('query parser')
  app.enable('strict routing')
  app.enable('case sensitive routing')
  app.set('trust proxy', [...deps.config.http.trustedProxies])

  app.use(requestId())
  app.use(accessLog(deps.logger))
  app.use(securityHeaders({ isTlsOnly: context.signIn?.isSecure ?? false }))
  app.use(checkHost(deps.config))
  app.use(checkPath())
  app.use(refuseCrossSite(context.signIn?.baseUrl))
  table.mount(app, {
    access: createAccess(context),
    audit: context.audit,
    authorize: context.authorize,
    maxBodyBytes: deps.config.limits.bodyBytes,
  })
  app.use(notFound(errorPage(context.site)))
  app.use(errorHandler(errorPage(context.site)))
  return { app, table }
}
