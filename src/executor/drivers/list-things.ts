import type { Config, DriverName } from '../../shared/config/config.js'
import { listDockerThings } from './docker/list-things.js'
import { listNativeThings } from './native/list-things.js'
import { engineOf } from './open-driver.js'
import type { OwnedThing } from './owned-thing.js'

export interface ListOptions {
  config: Config
  /** Whose things: see db/instance.ts. */
  instance: string
  /** A pipeline's own settings for the driver. */
  settings: unknown
}

/** All that a driver holds for runs of an instance. Throws `driver_unavailable`, `driver_config_invalid`. */
export async function listThings(
  driver: DriverName,
  { config, instance, settings }: ListOptions,
): Promise<OwnedThing[]> {
  switch (driver) {
    case 'docker':
      return listDockerThings(engineOf(config, settings), instance)
    case 'native':
      return listNativeThings(config.drivers.nativeRoot, instance)
  }
}
