import type { InputDeclaration, InputDeclarations } from '../../shared/contract/inputs.js'

/** Names of fields begin so; what follows is the input. */
export const INPUT_FIELD = 'input.'

export interface TriggerFormProps {
  id: string
  name: string
  isPaused: boolean
  /** Where there is room for them; an empty field means the default. */
  inputs?: InputDeclarations
}

/** A form that starts a run; a script shows a toast instead of going to the run. */
export function TriggerForm({ id, name, isPaused, inputs = {} }: TriggerFormProps) {
  const fields = Object.entries(inputs)
  return (
    <form
      class={fields.length > 0 ? 'fields' : undefined}
      method="post"
      action={`/pipelines/${id}/trigger`}
      data-trigger={id}
      data-name={name}
    >
      {fields.map(([input, declaration]) => (
        <InputField key={input} name={input} declaration={declaration} />
      ))}
      <button
        class="btn"
        disabled={isPaused}
        title={isPaused ? 'Pipeline is paused' : undefined}
        aria-label={`Trigger ${name}`}
      >
        Trigger
      </button>
    </form>
  )
}

interface FieldProps {
  name: string
  declaration: InputDeclaration
}

function InputField({ name, declaration }: FieldProps) {
  const { description, required } = declaration
  const id = `${INPUT_FIELD}${name}`
  return (
    <div class="field">
      <label for={id}>
        {name}
        {required && <span class="sub"> (required)</span>}
      </label>
      <Control id={id} declaration={declaration} />
      {description && (
        <p id={`${id}.help`} class="sub">
          {description}
        </p>
      )}
    </div>
  )
}

function Control({ id, declaration }: { id: string; declaration: InputDeclaration }) {
  const shared = {
    id,
    name: id,
    class: 'input',
    required: declaration.required === true,
    'aria-describedby': declaration.description ? `${id}.help` : undefined,
  }
  const given = declaration.default
  switch (declaration.type) {
    case 'string':
      return <input {...shared} type="text" value={String(given ?? '')} />
    case 'number':
      return <input {...shared} type="number" step="any" value={String(given ?? '')} />
    case 'boolean':
    case 'choice': {
      const choices = declaration.type === 'choice' ? declaration.choices : ['true', 'false']
      return (
        <select {...shared}>
          {given === undefined && <option value=""></option>}
          {choices.map((choice) => (
            <option key={choice} value={choice} selected={choice === String(given)}>
              {choice}
            </option>
          ))}
        </select>
      )
    }
  }
}
